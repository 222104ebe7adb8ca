// The part of the gallery's schema that is read most, with a DataLoader for each relation.

import { makeExecutableSchema } from "@graphql-tools/schema";
import DataLoader from "dataloader";
import { GraphQLScalarType } from "graphql";

import { imageById, newestImages, newestImagesWithTag, related, retitle } from "./database.mjs";

const typeDefs = `
  scalar ByteSize
  scalar DateTime
  input ImageFilter { tags: [String!] }
  type Query {
    images(first: Int, filter: ImageFilter): ImageConnection!
    image(id: ID!): Image
  }
  input UpdateImageInput { id: ID! title: String! }
  type Mutation { updateImage(input: UpdateImageInput!): UpdateImagePayload! }
  type UpdateImagePayload { image: Image errors: [UserError!]! }
  type UserError { message: String! }
  type ImageConnection { nodes: [Image!]! pageInfo: PageInfo! }
  type PageInfo { hasNextPage: Boolean! }
  type Image {
    id: ID! filename: String! originalFilename: String! contentType: String! fileSize: ByteSize!
    width: Int! height: Int! title: String! description: String url: String! uploadedAt: DateTime!
    thumbnails: Thumbnails! tags: [Tag!]! albums: [Album!]!
  }
  type Thumbnails { small: Thumbnail medium: Thumbnail large: Thumbnail }
  type Thumbnail { url: String! width: Int! height: Int! }
  type Tag { id: ID! name: String! }
  type Album { id: ID! title: String! imageCount: Int! }
`;

const globalId = (kind, uuid) => `${kind}_${uuid.replaceAll("-", "")}`;
const extension = (contentType) => (contentType === "image/jpeg" ? "jpg" : contentType.slice("image/".length));
const asItIs = (value) => value;

const resolvers = {
  ByteSize: new GraphQLScalarType({ name: "ByteSize", serialize: asItIs }),
  DateTime: new GraphQLScalarType({ name: "DateTime", serialize: asItIs }),
  Query: {
    images: async (_, { first, filter }) => {
      const [tag] = filter?.tags ?? [];
      const images = await (tag === undefined ? newestImages(first + 1) : newestImagesWithTag(tag, first + 1));
      return { nodes: images.slice(0, first), pageInfo: { hasNextPage: images.length > first } };
    },
    image: (_, { id }) => imageById(id.slice("img_".length)),
  },
  Mutation: {
    updateImage: async (_, { input }) => ({ image: await retitle(input.id.slice("img_".length), input.title), errors: [] }),
  },
  Image: {
    id: (image) => globalId("img", image.id),
    url: (image, _, { baseUrl }) => `${baseUrl}/media/${globalId("img", image.id)}/original.${extension(image.contentType)}`,
    thumbnails: async (image, _, { loaders, baseUrl }) => {
      const base = `${baseUrl}/media/${globalId("img", image.id)}`;
      const renditions = await loaders.renditions.load(image.id);
      return Object.fromEntries(
        renditions.map(({ size, width, height }) => [size, { url: `${base}/${size}.webp`, width, height }]),
      );
    },
    tags: (image, _, { loaders }) => loaders.tags.load(image.id),
    albums: (image, _, { loaders }) => loaders.albums.load(image.id),
  },
  Tag: { id: (tag) => globalId("tag", tag.id) },
  Album: {
    id: (album) => globalId("alb", album.id),
    imageCount: async (album, _, { loaders }) => (await loaders.imageCounts.load(album.id))[0]?.images ?? 0,
  },
};

export const schema = makeExecutableSchema({ typeDefs, resolvers });

/** What resolvers need, made for each request. */
export function contextFor(host) {
  const loader = (name) => new DataLoader((ids) => related(name, ids));
  return {
    baseUrl: `http://${host}`,
    loaders: {
      renditions: loader("renditions"),
      tags: loader("tags"),
      albums: loader("albums"),
      imageCounts: loader("imageCounts"),
    },
  };
}

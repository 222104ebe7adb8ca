// The operations of the main job, as an application would keep them.

const IMAGE = `
  id filename originalFilename contentType fileSize checksum width height title description url
  processing processingError
  thumbnails { small { url width height } medium { url width height } large { url width height } }
  tags { name }
  albums { id title imageCount }
  uploadedAt createdAt updatedAt
`;

const ERRORS = "errors { code message field }";

export const UPLOAD_IMAGE = `mutation UploadImage($input: UploadImageInput!) {
  uploadImage(input: $input) { outcome image { ${IMAGE} } ${ERRORS} }
}`;

export const GET_IMAGE = `query GetImage($id: ID!) { image(id: $id) { ${IMAGE} } }`;

export const LIST_IMAGES = `query ListImages($first: Int!, $tags: [String!]) {
  images(first: $first, filter: { tags: $tags }, sort: { field: UPLOADED_AT, direction: DESC }) {
    totalCount
    nodes { ${IMAGE} }
    edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;

export const TAG_IMAGES = `mutation TagImages($input: TagImagesInput!) { tagImages(input: $input) { ${ERRORS} } }`;

export const CREATE_ALBUM = `mutation CreateAlbum($input: CreateAlbumInput!) {
  createAlbum(input: $input) { album { id title imageCount } ${ERRORS} }
}`;

export const ADD_IMAGES_TO_ALBUM = `mutation AddImagesToAlbum($input: AddImagesToAlbumInput!) {
  addImagesToAlbum(input: $input) {
    album { id imageCount images(first: 10) { totalCount nodes { id } } }
    ${ERRORS}
  }
}`;

export const GET_ALBUM = `query GetAlbum($id: ID!) {
  album(id: $id) { id title imageCount images(first: 10) { totalCount nodes { id originalFilename } } }
}`;

export const DELETE_IMAGE = `mutation DeleteImage($input: DeleteImageInput!) {
  deleteImage(input: $input) { image { id } ${ERRORS} }
}`;

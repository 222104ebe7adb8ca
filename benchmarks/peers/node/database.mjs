// The rows that answers are made of: named statements on a pool of connections, the same ones that the gallery sends.

import pg from "pg";

const TIMESTAMPTZ = 1184;
const INT8 = 20;
const POOL_SIZE = 10; // as the gallery's

// A Date would lose the microseconds. PostgreSQL writes 2026-01-31 12:00:00.5+00, the gallery 2026-01-31T12:00:00.500000+00:00.
function isoTime(text) {
  const [date, time] = text.slice(0, -3).split(" ");
  return time.length === 8 ? `${date}T${time}+00:00` : `${date}T${time.padEnd(15, "0")}+00:00`;
}

pg.types.setTypeParser(TIMESTAMPTZ, isoTime);
pg.types.setTypeParser(INT8, Number);

const pool = new pg.Pool({
  connectionString: process.env.PEER_DATABASE_URL,
  max: POOL_SIZE,
  idleTimeoutMillis: 0,
  options: "-c timezone=UTC -c jit=off",
});

const IMAGE = `i.id, i.filename, i.original_filename AS "originalFilename", i.content_type AS "contentType",
  i.file_size_bytes AS "fileSize", i.width_px AS width, i.height_px AS height, i.title, i.description,
  i.uploaded_at AS "uploadedAt"`;

const STATEMENTS = {
  page: `SELECT ${IMAGE} FROM images i WHERE i.deleted_at IS NULL ORDER BY i.uploaded_at DESC, i.id DESC LIMIT $1`,
  image: `SELECT ${IMAGE} FROM images i WHERE i.id = $1 AND i.deleted_at IS NULL`,
  tag: "SELECT id FROM tags WHERE key = $1",
  tagged: `SELECT ${IMAGE} FROM images i JOIN image_tags it ON it.image_id = i.id
    WHERE it.tag_id = $1 AND i.deleted_at IS NULL ORDER BY it.uploaded_at DESC, it.image_id DESC LIMIT $2`,
  // One statement is one transaction. The event has all that the gallery keeps of one, but for a hash that is computed.
  update: `WITH changed AS (
      UPDATE images i SET title = $2, version = version + 1, updated_at = now() WHERE id = $1 AND deleted_at IS NULL
      RETURNING ${IMAGE}, i.owner, i.updated_at, old.title AS before
    ), recorded AS (
      INSERT INTO events (id, entity, entity_id, kind, actor, occurred_at, payload, previous_hash, hash)
      SELECT gen_random_uuid(), 'image', id, 'image.updated', owner, updated_at,
        jsonb_build_object('title', jsonb_build_object('from', before, 'to', title)), NULL, ''::bytea
      FROM changed
    ) SELECT * FROM changed`,
  renditions: "SELECT image_id AS parent, size, width_px AS width, height_px AS height FROM renditions WHERE image_id = ANY($1)",
  tags: `SELECT it.image_id AS parent, t.id, t.name FROM image_tags it JOIN tags t ON t.id = it.tag_id
    WHERE it.image_id = ANY($1) ORDER BY t.key`,
  albums: `SELECT ai.image_id AS parent, a.id, a.title FROM album_images ai JOIN albums a ON a.id = ai.album_id
    WHERE ai.image_id = ANY($1) ORDER BY a.created_at, a.id`,
  imageCounts: "SELECT album_id AS parent, count(*) AS images FROM album_images WHERE album_id = ANY($1) GROUP BY album_id",
};

async function rows(name, ...values) {
  return (await pool.query({ name, text: STATEMENTS[name], values })).rows;
}

/** One image more than a page has tells whether the list goes on. */
export const newestImages = (limit) => rows("page", limit);

export async function newestImagesWithTag(name, limit) {
  const [tag] = await rows("tag", name.toLowerCase());
  return tag ? rows("tagged", tag.id, limit) : [];
}

export async function imageById(id) {
  const [image] = await rows("image", id);
  return image ?? null;
}

export async function retitle(id, title) {
  const [image] = await rows("update", id, title);
  return image ?? null;
}

/** The rows that belong to each of the ids, in their order, by one statement. */
export async function related(name, ids) {
  const byParent = new Map(ids.map((id) => [id, []]));
  for (const row of await rows(name, ids)) byParent.get(row.parent).push(row);
  return ids.map((id) => byParent.get(id));
}

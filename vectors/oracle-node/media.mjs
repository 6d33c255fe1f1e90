// Media streams at their receiver (spec/streams.md, Media).

import { need, sha256, unhex } from "./conventions.mjs";

const CHUNK_LEN = 65_536;
const SIZE_MAX = 2n ** 31n;
const NOTHING = { checked: 0, complete: false };

/** `size u64 | chunk hashes 32 each | content`, so far as it has come; undefined while the list is not whole. */
function parts(stream) {
  if (stream.length < 8) return undefined;
  const size = stream.readBigUInt64BE(0);
  need(size <= SIZE_MAX, "TOO_LARGE");
  const end = 8 + 32 * Math.ceil(Number(size) / CHUNK_LEN);
  if (stream.length < end) return undefined;
  return { size: Number(size), list: stream.subarray(0, end), content: stream.subarray(end) };
}

export function mediaReceive({ content_id, list, content, fin = content_id }) {
  const stream = Buffer.concat([unhex(list), ...content.flatMap(([text, times]) => Array(times).fill(unhex(text)))]);
  const found = parts(stream);
  if (!found) return { out: NOTHING };
  need(sha256(found.list).equals(unhex(content_id)), "HASH");
  let taken = 0;
  for (let hash = 8; hash < found.list.length; hash += 32) {
    const end = Math.min(taken + CHUNK_LEN, found.size);
    if (found.content.length < end) break;
    need(sha256(found.content.subarray(taken, end)).equals(found.list.subarray(hash, hash + 32)), "HASH");
    taken = end;
  }
  need(found.content.length <= found.size, "OFFSET");
  need(fin === content_id, "HASH");
  return { out: { checked: found.list.length + taken, complete: taken === found.size } };
}

import { linkTo } from '@hexachord/protocol/cids'
import type { Picture } from '@hexachord/protocol/manifests'
import { CoverUnusable, readTags, resizeCover, type TaggedFile, TagsUnreadable } from '../tags/index.ts'
import { currentUpload, type Work } from './work.ts'

/** Reads tags and cover. What is wrong with them is noted for the artist and fails nothing. */
export async function describeSource(work: Work): Promise<void> {
  const { input, recorder } = work
  if (currentUpload(work).tags !== undefined) return
  const notes: string[] = []
  const { tags, cover } = await unlessUnusable(notes, { tags: {}, cover: undefined } as TaggedFile, () =>
    readTags(input),
  )
  const pictures = await unlessUnusable(notes, [], () => storeCover(work, cover))
  recorder.flush((upload) => ({
    tags,
    notes: [...upload.notes, ...notes],
    ...(pictures.length > 0 ? { cover: pictures } : {}),
  }))
}

async function storeCover({ recorder }: Work, cover: Uint8Array | undefined): Promise<Picture[]> {
  if (cover === undefined) return []
  const pictures: Picture[] = []
  for (const { bytes, ...picture } of await resizeCover(cover)) {
    const cid = await recorder.store(bytes, 'raw')
    pictures.push({ ...picture, image: linkTo(cid), byteLength: bytes.length })
  }
  return pictures
}

async function unlessUnusable<Result>(
  notes: string[],
  otherwise: Result,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof TagsUnreadable || error instanceof CoverUnusable)) throw error
    notes.push(error.message)
    return otherwise
  }
}

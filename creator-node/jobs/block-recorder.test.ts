import { cidOf } from '@hexachord/protocol/cids'
import { expect, test } from '@jest/globals'
import { anUpload, aPlan } from '../fixtures/an-upload.ts'
import type { Upload, UploadBlock, UploadChange, UploadStore } from '../uploads/index.ts'
import { createBlockRecorder } from './block-recorder.ts'

/** An upload with one rendition, and what was written of it, by commit. */
function recording() {
  let upload = anUpload({ renditions: [{ plan: aPlan, state: 'waiting', doneMs: 0, segments: 0 }] })
  const commits: { segments: number | undefined; blocks: string[] }[] = []
  const uploads: Pick<UploadStore, 'blockCount' | 'change'> = {
    blockCount: () => 0,
    change(_, change: (upload: Upload) => UploadChange | undefined, blocks: readonly UploadBlock[] = []) {
      upload = { ...upload, ...change(upload) }
      commits.push({ segments: upload.renditions[0]?.segments, blocks: blocks.map(({ cid }) => cid) })
      return upload
    },
  }
  const recorder = createBlockRecorder({
    ...{ id: 'one', uploads: uploads as UploadStore, onFirstBlock: () => undefined },
    ipfs: { put: (bytes, codec) => cidOf(bytes, codec) },
  })
  return { recorder, commits }
}

const block = (byte: number) => new Uint8Array(300).fill(byte)

test('a block that may not be wanted is stored at once, and listed once it is', async () => {
  const { recorder, commits } = recording()
  const wanted = Promise.withResolvers<void>()
  const unwanted = Promise.reject(new Error('it is another file'))
  const first = await recorder.store(block(1), 'raw', wanted.promise)
  await recorder.store(block(2), 'raw', unwanted)
  const second = await recorder.store(block(3), 'raw')
  recorder.flush(() => ({}))
  expect(commits).toEqual([{ segments: 0, blocks: [second] }])
  wanted.resolve()
  await wanted.promise
  recorder.flush()
  expect(commits.at(-1)).toEqual({ segments: 0, blocks: [first] })
  recorder.close()
})

test('the first segments of a rendition are written at once, however many there are', async () => {
  const { recorder, commits } = recording()
  const stored: string[] = []
  for (const byte of [1, 2, 3]) stored.push(await recorder.store(block(byte), 'raw'))
  recorder.progress(aPlan.name, { segments: 0, doneMs: 0 })
  expect(commits).toEqual([])
  recorder.progress(aPlan.name, { segments: 3, doneMs: 18_000 })
  expect(commits).toEqual([{ segments: 3, blocks: stored }])
  recorder.progress(aPlan.name, { segments: 4, doneMs: 24_000 })
  expect(commits).toHaveLength(1)
  recorder.close()
  expect(commits).toHaveLength(2)
})

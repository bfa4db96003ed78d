import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { eventually } from '@hexachord/scripts/testing'
import { startTestChain, type TestChain } from '@hexachord/storage/catalogue/fixtures'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { sendFile } from './fixtures/send-file.ts'
import { makeMusic } from './fixtures/test-music.ts'
import { fresh, startTestNode, type TestNode } from './fixtures/test-node.ts'
import { startTestOperator, type TestOperator } from './fixtures/test-operator.ts'

let chain: TestChain
let node: TestNode
let operators: TestOperator[]
let music: string
beforeAll(async () => {
  chain = await startTestChain()
  node = await startTestNode(chain)
  operators = []
  for (let count = 0; count < 3; count++) operators.push(await startTestOperator(chain, node.domain))
  await chain.mineIntoNextEpoch()
  music = await mkdtemp(join(tmpdir(), 'hexachord-music-'))
}, 60_000)
afterAll(async () => {
  await node.remove()
  for (const operator of operators) await operator.close()
  await chain.close()
  await rm(music, { recursive: true })
})

function ended(id: string, deadlineMs = 60_000): Promise<UploadAnswer> {
  return eventually(() => node.upload(id), {
    describe: `upload ${id} has ended`,
    deadlineMs,
    until: ({ state }) => ['ready', 'failed', 'cancelled'].includes(state),
  })
}

describe('an upload', () => {
  test('becomes a track with three receipts', async () => {
    const file = await makeMusic(music, 'song.flac', { options: ['-metadata', 'title=Song'] })
    const id = await sendFile(node, fresh(), file)
    const upload = await ended(id)
    console.log(upload.ms, upload.renditions, upload.source)
    expect(upload).toMatchObject({ state: 'ready', copies: 3, tags: { title: 'Song' } })
  }, 90_000)
})

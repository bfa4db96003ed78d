import { uploadAnswer } from '@hexachord/sdk/fixtures'
import { nodeProgress, type Progress } from '@hexachord/sdk/uploading'
import { describe, expect, test } from '@jest/globals'
import { describeProgress, machineProgress } from './describe-progress.ts'

const node = 'https://creator.example'
const operator = `0x${'1'.repeat(40)}` as const
const hash = `0x${'ab'.repeat(32)}` as const
const source = {
  ...{ sha256: hash, durationMs: 60_000, codec: 'flac', sampleRateHz: 44_100, channels: 2, lossless: true },
}

const copying = nodeProgress(
  uploadAnswer({
    ...{ state: 'replicating', source, blocks: 40, copies: 3, heldCopies: 1 },
    waitingFor: 'the second operator is away',
    replicas: [
      { operator, endpoint: 'https://one.example', state: 'held', blocks: 12 },
      { operator, endpoint: 'https://two.example', state: 'pulling', blocks: 10 },
      { operator, endpoint: 'https://three.example', state: 'refused', blocks: 0, reason: 'full' },
    ],
  }),
  node,
)

describe('what is said of an upload', () => {
  test.each<[string, Progress, object]>([
    [
      'sending',
      { step: 'sending', node, sentBytes: 2_500_000, totalBytes: 10_000_000 },
      { done: 2_500_000, total: 10_000_000, text: `2.5 MB of 10.0 MB to ${node}` },
    ],
    [
      'its place in the queue',
      nodeProgress(uploadAnswer({ state: 'queued', ahead: 4 }), node),
      { step: 'queued', text: 'waits for 4 uploads before it' },
    ],
    [
      'each rendition',
      nodeProgress(
        uploadAnswer({
          ...{ state: 'processing', source },
          renditions: [
            { name: 'flac', state: 'running', doneMs: 45_000, segments: 7 },
            { name: 'aac-160', state: 'waiting', doneMs: 0, segments: 0 },
          ],
        }),
        node,
      ),
      { step: 'transcoding', done: 45_000, total: 120_000, text: 'flac 75 %, aac-160 0 %' },
    ],
    [
      "each operator's copy",
      copying,
      {
        ...{ step: 'copies', done: 1, total: 3 },
        text: '1 of 3 copies (one.example held, two.example 25 %, three.example refused); the second operator is away',
      },
    ],
    [
      'another node',
      { step: 'moving', node, reason: 'it is away' },
      { step: 'moving', text: `goes on at ${node}: it is away` },
    ],
    [
      'the chain',
      { step: 'publishing', hash, status: 'mined' },
      { step: 'mined', done: 2, total: 3, text: 'on the chain; discovery reads it there' },
    ],
    [
      'its end',
      nodeProgress(uploadAnswer({ state: 'failed', problem: 'notAudio', reason: 'no audio in it' }), node),
      { step: 'ended', text: 'no audio in it' },
    ],
  ])('names %s', (_, progress, expected) => {
    expect(describeProgress(progress)).toMatchObject(expected)
  })

  test('to programs is what changes, without the whole answer of the node', () => {
    expect(machineProgress(copying)).toEqual({
      ...{ step: 'copying', node, renditions: [], heldCopies: 1, wantedCopies: 3 },
      waitingFor: 'the second operator is away',
      copies: [
        { operator, endpoint: 'https://one.example', state: 'held', doneBlocks: 40, totalBlocks: 40 },
        { operator, endpoint: 'https://two.example', state: 'pulling', doneBlocks: 10, totalBlocks: 40 },
        {
          ...{ operator, endpoint: 'https://three.example', state: 'refused', reason: 'full' },
          ...{ doneBlocks: 0, totalBlocks: 40 },
        },
      ],
    })
  })
})

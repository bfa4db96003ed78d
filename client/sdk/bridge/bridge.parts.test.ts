import { afterEach, describe, expect, test } from '@jest/globals'
import {
  answerJson,
  connectionTo,
  decodedMs,
  type Gateway,
  recordedTrack,
  serve,
  serveBlocks,
  subject,
  trackOf,
} from '../fixtures/index.ts'
import { startBridge } from './index.ts'

const seconds = 20
const { track, blocks } = await recordedTrack({ seconds })

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

describe('ffmpeg at the bridge', () => {
  test('decodes all of a track, while one holder lies and another one dies', async () => {
    const lie = (n: number) =>
      n > 4 ? (_: unknown, response: { end(text: string): void }) => response.end('x') : undefined
    const die = (n: number) =>
      n > 5 ? (request: { socket: { destroy(): void } }) => request.socket.destroy() : undefined
    const holders: Gateway[] = []
    for (const misbehave of [lie, die, undefined]) holders.push(await serveBlocks(blocks, misbehave))
    const endpoints = holders.map(({ origin }) => origin)
    const discovery = await serve((_, response) => answerJson(response, trackOf(subject, track, endpoints)))
    const bridge = await startBridge(connectionTo({ discovery: discovery.origin }))
    closing.push(...[discovery, ...holders, bridge].map(({ close }) => close))
    expect(Math.abs((await decodedMs(bridge.urlOf(subject))) - seconds * 1000)).toBeLessThan(100)
  })
})

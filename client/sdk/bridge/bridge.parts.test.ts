import { spawn } from 'node:child_process'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  answerJson,
  connectionTo,
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

/** @returns ms of sound that ffmpeg gets out of it */
async function decodedMs(url: string): Promise<number> {
  const output = ['-f', 's16le', '-ar', '44100', '-ac', '1', 'pipe:1']
  const child = spawn('ffmpeg', ['-v', 'error', '-nostdin', '-i', url, '-map', '0:a:0', ...output])
  let bytes = 0
  let complaint = ''
  child.stdout.on('data', (chunk) => {
    bytes += chunk.length
  })
  child.stderr.on('data', (chunk) => {
    complaint += chunk
  })
  const ended = Promise.withResolvers<number | null>()
  child.once('error', ended.reject).once('close', ended.resolve)
  expect([await ended.promise, complaint]).toEqual([0, ''])
  return Math.round(bytes / 2 / 44.1)
}

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

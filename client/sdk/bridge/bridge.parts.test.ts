import { segmentKey } from '@hexachord/protocol/premium'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  answerJson,
  answerProblem,
  connectionTo,
  decodedMs,
  type Gateway,
  premiumTrack,
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

  test('decodes a track for followers, where an account is shown, and its listener is told why not otherwise', async () => {
    const gated = await premiumTrack({ seconds, clearSegments: 0 })
    const salt = gated.track.renditions[0]?.encryption?.salt ?? ''
    const holder = await serve((request, response) => {
      const path = (request.url ?? '').split('/')
      const isShown = request.headers.authorization === 'Hexachord follower'
      if (path[1] === 'ipfs') return response.end(gated.blocks.get(path[2]?.split('?')[0] ?? ''))
      if (request.headers.authorization !== undefined && !isShown) {
        return answerProblem(response, 403, 'it is for followers')
      }
      if (path[3] === undefined) return answerJson(response, { gate: { kind: 'follower' } })
      if (!isShown) return answerProblem(response, 401, 'show your account')
      return response.end(segmentKey(gated.secret, salt, Number(path.at(-1))).key)
    })
    const [operator] = gated.track.manifest.keyHolders ?? []
    const found = trackOf(subject, gated.track, [])
    const holders = [{ operator, endpoint: holder.origin }]
    const facts = { controller: operator, hotKey: operator, capacityBytes: '1', stakeWei: '1', active: true }
    const discovery = await serve(({ url }, response) =>
      answerJson(
        response,
        url?.startsWith('/v1/operators')
          ? { items: holders.map((told) => ({ ...told, ...facts })), next: null }
          : { ...found, holders },
      ),
    )
    const connection = connectionTo({ discovery: discovery.origin })
    const failures: unknown[] = []
    const passing = (token: string) =>
      startBridge(connection, {
        pass: async () => `Hexachord ${token}`,
        onFailure: (track, error) => failures.push([track, String(error)]),
      })
    const [bridge, stranger] = [await passing('follower'), await passing('stranger')]
    closing.push(...[discovery, holder, bridge, stranger].map(({ close }) => close))
    expect(Math.abs((await decodedMs(bridge.urlOf(subject))) - seconds * 1000)).toBeLessThan(100)
    expect(failures).toEqual([])
    const [init] = [...gated.track.renditions].map((rendition) => rendition.init.data['/'])
    const refused = await fetch(new URL(`ipfs/${init}/init.mp4`, stranger.urlOf(subject)))
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('for followers')])
    expect(failures).toEqual([[subject, expect.stringContaining('it is for followers')]])
  })
})

import { request } from 'node:http'
import { lintPlaylist } from '@hexachord/protocol/hls-lint'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  answerJson,
  answerProblem,
  connectionTo,
  type Gateway,
  serve,
  serveBlocks,
  subject,
  trackOf,
} from '../fixtures/index.ts'
import { type Bridge, startBridge } from './index.ts'

const { track: loaded, blocks } = await exampleTrack()

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function holder(
  ...args: Parameters<typeof serveBlocks> extends [unknown, ...infer Rest] ? Rest : never
) {
  const gateway = await serveBlocks(blocks, ...args)
  closing.push(gateway.close)
  return gateway
}

/** @param holders may change while the test runs */
async function bridgeTo(holders: Gateway[]): Promise<Bridge> {
  const discovery = await serve((asked, response) =>
    asked.url === `/v1/tracks/${subject}`
      ? answerJson(
          response,
          trackOf(
            subject,
            loaded,
            holders.map(({ origin }) => origin),
          ),
        )
      : answerProblem(response, 404, 'no such track'),
  )
  closing.push(discovery.close)
  const bridge = await startBridge(connectionTo({ discovery: discovery.origin }))
  closing.push(bridge.close)
  return bridge
}

/** As a player does: the master, its first variant, then init and every segment. */
async function playThrough(master: string): Promise<Buffer> {
  const read = async (url: string) => {
    const response = await fetch(url)
    expect([url, response.status]).toEqual([url, 200])
    return response
  }
  const playlist = await (await read(master)).text()
  expect(lintPlaylist(playlist)).toEqual([])
  const mediaUrl = new URL(playlist.match(/^[^#].*$/m)?.[0] ?? '', master).href
  const media = await (await read(mediaUrl)).text()
  expect(lintPlaylist(media)).toEqual([])
  const uris = [media.match(/URI="(.*)"/)?.[1] ?? '', ...(media.match(/^[^#].*$/gm) ?? [])]
  const parts: Buffer[] = []
  for (const uri of uris) {
    parts.push(Buffer.from(await (await read(new URL(uri, mediaUrl).href)).arrayBuffer()))
  }
  return Buffer.concat(parts)
}

function startFile(): Buffer {
  const rendition = loaded.renditions[2]
  const cids = [rendition?.init.data['/'], ...(rendition?.segments.map(([, , link]) => link['/']) ?? [])]
  return Buffer.concat(cids.map((cid) => blocks.get(cid ?? '') ?? Buffer.alloc(0)))
}

/** @param path below what the bridge keeps secret */
function statusFor(bridge: Bridge, path: string, headers: Record<string, string>, method = 'GET') {
  return statusOf(bridge, secretOf(bridge) + path, headers, method)
}

const secretOf = (bridge: Bridge) => new URL('..', bridge.urlOf(subject)).pathname.slice(0, -1)

function statusOf(bridge: Bridge, path: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<number | undefined>((resolve, reject) => {
    request(bridge.origin + path, { method, headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode))
    })
      .once('error', reject)
      .end()
  })
}

describe('the bridge', () => {
  test('plays a track to a player that only knows HTTP', async () => {
    const bridge = await bridgeTo([await holder()])
    expect(bridge.urlOf(subject)).toMatch(
      new RegExp(`^${bridge.origin}/[0-9a-f]{32}/${subject}/master\\.m3u8$`),
    )
    await expect(playThrough(bridge.urlOf(subject))).resolves.toEqual(startFile())
  })

  test('keeps a holder that lies, and one that dies, from the player', async () => {
    const liar = await holder((n) => (n > 4 ? (_, response) => response.end('other bytes') : undefined))
    const dying = await holder((n) => (n > 5 ? (asked) => asked.socket.destroy() : undefined))
    const bridge = await bridgeTo([liar, dying, await holder()])
    await expect(playThrough(bridge.urlOf(subject))).resolves.toEqual(startFile())
  })

  test('asks anew who holds a track when its holders are gone', async () => {
    const first = await holder()
    const holders = [first]
    const bridge = await bridgeTo(holders)
    const url = bridge.urlOf(subject)
    await playThrough(url)
    await first.close()
    holders.splice(0, 1, await holder())
    const [, init = ''] = (await (await fetch(new URL('2.m3u8', url))).text()).match(/URI="(.*)"/) ?? []
    expect((await fetch(new URL(init, url))).status).toBe(502)
    await expect(playThrough(url)).resolves.toEqual(startFile())
  })

  test('answers only requests to this machine, whatever name a web page gives it', async () => {
    const bridge = await bridgeTo([await holder()])
    const path = `/${subject}/master.m3u8`
    for (const host of ['127.0.0.1', 'localhost:80', '[::1]:9', 'LOCALHOST']) {
      await expect(statusFor(bridge, path, { host })).resolves.toBe(200)
    }
    for (const host of [
      'evil.example',
      '127.0.0.1.evil.example',
      'localhost.',
      '127.0.0.1:80@evil.example',
    ]) {
      await expect(statusFor(bridge, path, { host })).resolves.toBe(421)
    }
  })

  test('opens nothing for who does not know its secret, which is another at each start', async () => {
    const gateway = await holder()
    const [bridge, other] = [await bridgeTo([gateway]), await bridgeTo([gateway])]
    const path = `/${subject}/master.m3u8`
    for (const guess of [
      '',
      '/',
      '/0',
      secretOf(other),
      `${secretOf(bridge)}0`,
      secretOf(bridge).slice(0, -1),
    ]) {
      await expect(statusOf(bridge, guess + path)).resolves.toBe(404)
    }
    expect(gateway.requests).toEqual([])
    await expect(statusOf(bridge, secretOf(bridge) + path)).resolves.toBe(200)
  })

  test('answers no web page but its own, whatever it knows; what somebody opens, and players, it does', async () => {
    const gateway = await holder()
    const bridge = await bridgeTo([gateway])
    const path = `/${subject}/master.m3u8`
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ] as Record<string, string>[]) {
      await expect(statusFor(bridge, path, headers)).resolves.toBe(403)
    }
    expect(gateway.requests).toEqual([])
    for (const headers of [
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': 'same-origin', origin: bridge.origin },
    ] as Record<string, string>[]) {
      await expect(statusFor(bridge, path, headers)).resolves.toBe(200)
    }
  })

  test('answers HEAD, and no other method', async () => {
    const bridge = await bridgeTo([await holder()])
    const path = `/${subject}/master.m3u8`
    await expect(statusFor(bridge, path, {}, 'HEAD')).resolves.toBe(200)
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      await expect(statusFor(bridge, path, {}, method)).resolves.toBe(405)
    }
  })

  test('fetches nothing that is not of the track', async () => {
    const gateway = await holder()
    const bridge = await bridgeTo([gateway])
    await playThrough(bridge.urlOf(subject))
    const asked = gateway.requests.length
    const foreign = 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4'
    for (const path of [
      '/',
      '/favicon.ico',
      `/${subject}`,
      `/${subject}/3.m3u8`,
      `/${subject}/ipfs/${foreign}/init.mp4`,
      `/${subject}/ipfs/..%2f..%2fetc/x`,
    ]) {
      await expect(statusFor(bridge, path, {})).resolves.toBe(404)
    }
    expect(gateway.requests).toHaveLength(asked)
  })

  test('passes on that a track is unknown, and does not remember it', async () => {
    const bridge = await bridgeTo([await holder()])
    const unknown = await fetch(bridge.urlOf(`${subject}1`))
    expect([unknown.status, await unknown.text()]).toEqual([404, 'no such track\n'])
  })

  test('closes under a request that waits', async () => {
    const asked = Promise.withResolvers<void>()
    const silent = await serve(() => asked.resolve())
    closing.push(silent.close)
    const bridge = await startBridge(connectionTo({ discovery: silent.origin }))
    const waiting = fetch(bridge.urlOf(subject))
    await asked.promise
    await bridge.close()
    await expect(waiting).rejects.toThrow()
  })

  test('says when its port is taken', async () => {
    const other = await serve(() => undefined)
    closing.push(other.close)
    await expect(startBridge(connectionTo(), { port: other.port })).rejects.toThrow('EADDRINUSE')
  })
})

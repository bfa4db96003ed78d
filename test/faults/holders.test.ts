import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { blocksOf } from '@hexachord/protocol/manifests'
import type { Track } from '@hexachord/protocol/rest'
import { layOut } from '@hexachord/scripts/local-network'
import { findTrack } from '@hexachord/sdk/finding'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { wholeTrackOf } from '../network/node-blocks.ts'
import { decodedMs, makeRecording } from '../network/recordings.ts'
import { type FaultNetwork, readJson, startFaultNetwork } from './fault-network.ts'
import { type Heard, listen } from './listening.ts'
import { startLyingGateway } from './lying-gateway.ts'
import { moveOperator } from './operator-moves.ts'

const seconds = 30
const services = ['content-service-1', 'content-service-2', 'content-service-3']
let network: FaultNetwork
let artist: Artist
let track: Track

beforeAll(async () => {
  network = await startFaultNetwork()
  artist = await newArtist(network)
  const file = await makeRecording(network.folder, { name: 'held', seconds, format: 'm4a' })
  ;({ track } = await artist.release(file))
}, 120_000)
afterAll(() => network?.close())

const down = new Set<string>()
async function kill(...names: string[]): Promise<void> {
  for (const name of names) down.add(name)
  await Promise.all(names.map((name) => network.processes.kill(name)))
}
async function comeBack(...names: string[]): Promise<void> {
  await Promise.all(names.map((name) => network.processes.restart(name)))
  for (const name of names) down.delete(name)
}
afterEach(() => comeBack(...down), 30_000)

const nameOf = (origin = '') => services[network.urls.content.indexOf(origin)] ?? 'content-service-1'
const originOf = (name: string) => network.urls.content[services.indexOf(name)] ?? ''
const found = () => findTrack(artist.connection, track.id)

function expectWhole(heard: Heard): void {
  expect(heard.segments).toBe(heard.of)
  expect(Math.abs(heard.ms - seconds * 1000)).toBeLessThan(250)
}

describe('a content service that dies', () => {
  test('while it is played from is not heard', async () => {
    const heard = await listen(artist.connection, await found(), {
      folder: network.folder,
      async during(index, sources) {
        if (index === 2) await kill(nameOf(sources.at(-1)))
      },
    })
    expectWhole(heard)
    const [dead = ''] = [...down].map(originOf)
    expect(heard.sources.slice(0, 2)).toContain(dead)
    // One segment was on its way when it died.
    expect(heard.sources.slice(3)).not.toContain(dead)
    expect(heard.faults.filter(({ kind }) => kind === 'lied')).toEqual([])
  })

  test('is no longer where players are sent, and players without our SDK still hear all', async () => {
    await kill('content-service-1', 'content-service-2')
    const stream = `${network.urls.discovery}/v1/tracks/${track.id}/stream`
    const left = originOf('content-service-3')
    // Discovery believes for some seconds that a node which has just answered is there.
    await network.eventually(
      async (signal) => {
        const answers = await Promise.all(
          Array.from({ length: 6 }, () => fetch(stream, { redirect: 'manual', signal })),
        )
        return answers.map((answer) => new URL(answer.headers.get('location') ?? stream).origin)
      },
      {
        describe: 'only the last holder as the place of the stream',
        deadlineMs: 25_000,
        everyMs: 500,
        until: (origins) => origins.every((origin) => origin === left),
      },
    )
    const forgiven = /Connection to .* failed|Connection refused/
    expect(Math.abs((await decodedMs(stream, { forgiven })) - seconds * 1000)).toBeLessThan(250)
  })

  test('is used again when it is back', async () => {
    await kill(...services)
    await comeBack('content-service-2')
    const heard = await listen(artist.connection, await found(), network)
    expectWhole(heard)
    expect(new Set(heard.sources)).toEqual(new Set([originOf('content-service-2')]))
  })

  test('together with all others leaves the creator node as the last resort', async () => {
    await kill(...services)
    const heard = await listen(artist.connection, await found(), network)
    expectWhole(heard)
    expect(new Set(heard.sources)).toEqual(new Set([network.urls.creator]))
    // Discovery believes for some seconds that a node which has just answered is there.
    const stream = `${network.urls.discovery}/v1/tracks/${track.id}/stream`
    const answer = await network.eventually((signal) => fetch(stream, { redirect: 'manual', signal }), {
      describe: 'no holder left for the stream',
      deadlineMs: 25_000,
      everyMs: 500,
      until: ({ status }) => status !== 302,
    })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
  })
})

describe('a content service that lost blocks', () => {
  test('pulls them again, and gives no listener a wrong byte meanwhile', async () => {
    const name = 'content-service-3'
    const { track: loaded } = await wholeTrackOf(originOf(name), track.manifest)
    const [, init, first, second, third] = blocksOf(loaded).map(({ cid }) => cid)
    await network.processes.stop(name)
    down.add(name)
    const files = await blockFiles(name)
    for (const cid of [init, first]) await rm(files.get(cid ?? '') ?? '')
    const corrupt = files.get(second ?? '') ?? ''
    const bytes = await readFile(corrupt)
    bytes.writeUInt8((bytes[10] ?? 0) ^ 1, 10)
    await writeFile(corrupt, bytes)
    await writeFile(files.get(third ?? '') ?? '', '')
    await comeBack(name)
    const heard = await listen(artist.connection, { ...track, holders: await onlyHolder(name) }, network)
    expectWhole(heard)
    await network.eventually(() => wholeTrackOf(originOf(name), track.manifest), {
      describe: `every block of the track at ${name} again`,
      deadlineMs: 60_000,
      everyMs: 500,
    })
    await network.eventually(
      (signal) =>
        readJson<{ duty: number; held: number; missing: number }>(`${originOf(name)}/status`, signal),
      {
        describe: `${name} with nothing missing`,
        deadlineMs: 20_000,
        until: ({ duty, held, missing }) => duty > 0 && duty === held && missing === 0,
      },
    )
  }, 120_000)

  async function onlyHolder(name: string) {
    return (await found()).holders.filter(({ endpoint }) => endpoint === originOf(name))
  }

  async function blockFiles(name: string): Promise<Map<string, string>> {
    const directory = path.join(layOut(network.directory).dataDirectory(name), 'blocks')
    const entries = await readdir(directory, { recursive: true, withFileTypes: true })
    return new Map(
      entries
        .filter((entry) => entry.isFile())
        .map((entry) => [entry.name, path.join(entry.parentPath, entry.name)]),
    )
  }
})

describe('a gateway that lies', () => {
  test('registered in place of a holder is found out by its first block, and asked no more', async () => {
    const [name = '', honest = ''] = [services[0], originOf('content-service-1')]
    const liar = await startLyingGateway(honest)
    try {
      await moveOperator(network, name, liar.origin)
      const moved = await network.eventually(found, {
        describe: 'the liar among the holders that discovery names',
        deadlineMs: 15_000,
        until: ({ holders }) => holders.some(({ endpoint }) => endpoint === liar.origin),
      })
      // It would be asked first by whoever believes the order.
      const holders = moved.holders.toSorted((a) => (a.endpoint === liar.origin ? -1 : 1))
      const heard = await listen(artist.connection, { ...moved, holders }, network)
      expectWhole(heard)
      expect(heard.sources).not.toContain(liar.origin)
      expect(heard.quality.find(({ source }) => source === liar.origin)).toMatchObject({
        state: 'dropped',
        blocks: 0,
      })
      const lied = heard.faults.filter(({ kind }) => kind === 'lied')
      expect(lied.map(({ source }) => source)).toEqual(lied.map(() => liar.origin))
      expect(lied.length).toBeGreaterThan(0)
      const before = liar.lies()
      expectWhole(await listen(artist.connection, { ...moved, holders }, network))
      expect(liar.lies() - before).toBeLessThanOrEqual(lied.length + 1)
    } finally {
      await moveOperator(network, name, honest)
      await liar.close()
    }
  }, 60_000)
})

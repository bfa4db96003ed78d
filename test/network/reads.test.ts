import { readNetworkFile } from '@hexachord/contracts/networks'
import { type Subject, userSubject } from '@hexachord/protocol/names'
import { discoveryStatusSchema, type Track } from '@hexachord/protocol/rest'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { findPlaylist, findTrack, findUser, listTracks, search, trackFor } from '@hexachord/sdk/finding'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { refused } from './problems.ts'
import { makeRecording } from './recordings.ts'
import { newSubject } from './tus.ts'

const network = testNetwork()
const { discovery, creator, content } = network.urls
/** Words that no other file of tests uses. */
const handle = `zoe_${Date.now().toString(36)}`

let folder: TemporaryFolder
let zoe: Artist
let tracks: Track[]
let playlist: Subject

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  zoe = await newArtist(network)
  const file = await makeRecording(folder.path, { name: 'short', seconds: 3, format: 'm4a' })
  const upload = await zoe.upload(file)
  const first = await zoe.publish(upload, {
    title: 'Crépuscule sur la Wöllersdorfer Straße',
    artist: 'Zoë Ångström',
    genre: 'Ambient',
    tags: ['dusk', 'tape'],
    description: 'Two lines,\nboth mine.',
  })
  const second = await zoe.release(await makeRecording(folder.path, { name: 'other', seconds: 3 }), {
    title: 'Xylophonics in nine',
    artist: 'Zoë Ångström',
  })
  const hidden = await zoe.release(await makeRecording(folder.path, { name: 'hidden', seconds: 3 }), {
    title: 'Xylophonics unheard',
    artist: 'Zoë Ångström',
    unlisted: true,
  })
  tracks = [first, second.track, hidden.track]
  await zoe.write('user', userSubject(zoe.account.address), {
    prev: null,
    handle,
    name: 'Zoë Ångström',
    bio: 'Tape and dusk',
    links: ['https://zoe.example/music'],
  })
  playlist = newSubject(zoe)
  const { hash } = await zoe.write('playlist', playlist, {
    prev: null,
    title: `Nights of ${handle}`,
    add: tracks.map(({ id }) => ({ track: id })),
  })
  await zoe.write('playlist', playlist, {
    prev: hash,
    album: true,
    remove: [tracks[2]?.id ?? ''],
    add: [{ track: tracks[2]?.id ?? '', at: 0 }],
  })
}, 120_000)
afterAll(() => folder?.remove())

const idsOf = (found: readonly { id: string }[]) => found.map(({ id }) => id)

async function json(path: string): Promise<Record<string, unknown>> {
  const response = await fetch(discovery + path, { signal: AbortSignal.timeout(10_000) })
  if (!response.ok) throw new Error(`${path} answers ${response.status}: ${await response.text()}`)
  return (await response.json()) as Record<string, unknown>
}

describe('a list of tracks', () => {
  test('of one author has the newest first, and not what is unlisted', async () => {
    const { items, next } = await listTracks(zoe.connection, { author: zoe.account.address })
    expect(idsOf(items)).toEqual([tracks[1]?.id, tracks[0]?.id])
    expect(next).toBeNull()
  })

  test('comes in pages that join without a gap', async () => {
    const { items: all } = await listTracks(zoe.connection, { limit: 100 })
    const paged: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Awaited<ReturnType<typeof listTracks>> = await listTracks(zoe.connection, {
        limit: 1,
        ...(cursor === '' ? {} : { cursor }),
      })
      paged.push(...idsOf(page.items))
      cursor = page.next
    }
    expect(paged.slice(0, 100)).toEqual(idsOf(all))
  })
})

describe('a search', () => {
  test.each([
    ['its words', 'crépuscule wöllersdorfer'],
    ['without accents', 'crepuscule wollersdorfer strasse'],
    ['in capitals', 'CREPUSCULE'],
    ['the beginning of a word', 'crépusc'],
    ['a slip of the pen', 'crepsucule'],
    ['another one', 'wollersdorfr'],
  ])('finds a track by %s', async (_, text) => {
    const { tracks: found } = await search(zoe.connection, text)
    expect(idsOf(found)).toContain(tracks[0]?.id)
  })

  test('finds artists by name and handle, and playlists by title', async () => {
    for (const text of ['Angstrom', handle]) {
      expect(idsOf((await search(zoe.connection, text)).users)).toContain(zoe.account.address)
    }
    expect(idsOf((await search(zoe.connection, `nights ${handle}`)).playlists)).toContain(playlist)
  })

  test('does not show what is unlisted', async () => {
    const found = await search(zoe.connection, 'xylophonics')
    expect(idsOf(found.tracks)).toContain(tracks[1]?.id)
    expect(idsOf(found.tracks)).not.toContain(tracks[2]?.id)
    expect((await findTrack(zoe.connection, tracks[2]?.id as Subject)).unlisted).toBe(true)
  })

  test('of the command line takes the best track', async () => {
    expect((await trackFor(zoe.connection, 'crepuscule strasse')).id).toBe(tracks[0]?.id)
    expect((await trackFor(zoe.connection, `https://any.example/#/${tracks[1]?.id}`)).id).toBe(tracks[1]?.id)
  })
})

describe('a profile', () => {
  test('is found by its handle in any case, and by its address', async () => {
    const user = await findUser(zoe.connection, `@${handle.toUpperCase()}`)
    expect(user).toMatchObject({
      id: zoe.account.address,
      handle,
      name: 'Zoë Ångström',
      bio: 'Tape and dusk',
      links: ['https://zoe.example/music'],
      controller: zoe.account.address,
      trackCount: 2,
    })
    expect(await findUser(zoe.connection, zoe.account.address)).toEqual(user)
  })

  test('gives its handle to its tracks', async () => {
    expect((await findTrack(zoe.connection, tracks[0]?.id as Subject)).authorHandle).toBe(handle)
  })

  test('keeps its handle from others', async () => {
    const other = await newArtist(network)
    const taken = other.write('user', userSubject(other.account.address), { prev: null, handle })
    await expect(taken).rejects.toThrow(new RegExp(`handle is ${zoe.account.address}`))
  })
})

describe('a playlist', () => {
  test('has its tracks in order, also those that are not listed', async () => {
    const order = [tracks[2], tracks[0], tracks[1]].map((track) => track?.id)
    const found = await findPlaylist(zoe.connection, playlist)
    expect(found).toMatchObject({ title: `Nights of ${handle}`, album: true, author: zoe.account.address })
    expect(found.trackIds).toEqual(order)
    expect(idsOf(found.tracks)).toEqual(order)
  })
})

describe('a name', () => {
  test('is resolved from a handle and from any URL that holds it', async () => {
    const user = { kind: 'user', id: zoe.account.address }
    const [track] = tracks
    expect(await json(`/v1/resolve?handle=${handle}`)).toEqual(user)
    for (const [url, resolved] of [
      [`https://some.example/@${handle}`, user],
      [`https://some.example/listen#/${track?.id}`, { kind: 'track', id: track?.id }],
      [`${discovery}/v1/tracks/${track?.id}`, { kind: 'track', id: track?.id }],
      [`${discovery}/v1/playlists/${playlist}`, { kind: 'playlist', id: playlist }],
    ] as const) {
      expect(await json(`/v1/resolve?url=${encodeURIComponent(url)}`)).toEqual(resolved)
    }
    expect((await refused(`${discovery}/v1/resolve?url=https%3A%2F%2Fsome.example%2F`)).status).toBe(404)
  })
})

describe('what discovery says of itself', () => {
  test('is a state hash that every node computes too', async () => {
    for (const origin of [creator, ...content]) {
      await eventually(
        async () => {
          const [node, provider] = await Promise.all([
            fetch(`${origin}/status`).then((response) => response.json() as Promise<{ stateHash: string }>),
            json('/status'),
          ])
          return [node.stateHash, provider.stateHash]
        },
        {
          describe: `the state hash of ${origin} and of discovery, equal`,
          deadlineMs: 15_000,
          until: ([node, provider]) => node !== undefined && node === provider,
        },
      )
    }
  })

  test('is its place on the chain, and the state hash after each block', async () => {
    const status = discoveryStatusSchema.parse(await json('/status'))
    const { chainId, contracts } = await readNetworkFile(network.networkFile)
    expect(status).toMatchObject({ chainId, catalog: contracts.catalog.toLowerCase() })
    const [track] = tracks
    const before = await json(`/v1/blocks/${(track?.last.block ?? 0) - 1}`)
    const after = await json(`/v1/blocks/${track?.last.block}`)
    expect(after).toMatchObject({ number: track?.last.block, stateHashBlock: track?.last.block })
    expect(after.stateHash).not.toBe(before.stateHash)
  })

  test('is an OpenAPI document that names every route which is used here', async () => {
    const document = (await json('/openapi.json')) as { openapi: string; paths: Record<string, unknown> }
    expect(document.openapi).toMatch(/^3\.1/)
    const paths = Object.keys(document.paths)
    for (const path of [
      'tracks',
      'tracks/{id}',
      'tracks/{id}/stream',
      'users/{id}',
      'playlists/{id}',
      'search',
      'resolve',
    ]) {
      expect(paths).toContain(`/v1/${path}`)
    }
  })

  test('is who the operators are', async () => {
    const { items } = (await json('/v1/operators')) as {
      items: { operator: string; endpoint: string; active: boolean }[]
    }
    expect(new Set(items.map(({ endpoint }) => endpoint))).toEqual(
      new Set(network.operators.map(({ endpoint }) => endpoint)),
    )
    expect(items.every(({ active }) => active)).toBe(true)
  })
})

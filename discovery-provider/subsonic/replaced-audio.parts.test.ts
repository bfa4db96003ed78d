import { randomBytes } from 'node:crypto'
import { type Address, userSubject } from '@hexachord/protocol/names'
import {
  newAppPasswordSchema,
  playlistSchema,
  pricedTrackSchema,
  resolutionSchema,
} from '@hexachord/protocol/rest'
import { createAppPasswordToken } from '@hexachord/protocol/tokens'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Wallet } from 'ethers'
import { album, guido, hymn, type ServedCatalogue, serveCatalogue } from '../fixtures/served-catalogue.ts'
import { firstSecond } from '../fixtures/synthetic-chain.ts'
import { actedLog, rules, trackContent } from '../fixtures/synthetic-network.ts'

const wallet = new Wallet(`0x${'1e'.repeat(32)}`)
const listener = wallet.address.toLowerCase() as Address

let served: ServedCatalogue
let apiKey: string

beforeAll(async () => {
  served = await serveCatalogue()
  await served.catalogue.put(
    actedLog({
      ...{ author: listener, kind: 'save', subject: userSubject(listener) },
      content: { target: hymn, on: true, atMs: firstSecond * 1000 },
    }),
  )
  const authorization = await createAppPasswordToken(wallet, rules.domain, {
    audience: 'https://discovery.example',
    device: 'kitchen radio',
    nonce: `0x${randomBytes(32).toString('hex')}`,
    expiresAt: Date.now() + 60_000,
  })
  const minted = await fetch(`${served.origin}/v1/app-passwords`, {
    method: 'POST',
    headers: { authorization },
  })
  apiKey = newAppPasswordSchema.parse(await minted.json()).password
})
afterAll(() => served.close())

async function ask(method: string, query: Record<string, string>): Promise<Record<string, unknown>> {
  const common = { v: '1.16.1', c: 'test', f: 'json', apiKey }
  const response = await served.get(`/rest/${method}?${new URLSearchParams({ ...common, ...query })}`)
  const body = (await response.json()) as { 'subsonic-response': Record<string, unknown> }
  return body['subsonic-response']
}

/** What listeners and links know of the track. */
async function known() {
  const link = encodeURIComponent(`https://some.example/listen#/tracks/${hymn}`)
  return {
    resolved: await served.read(`/v1/resolve?url=${link}`, resolutionSchema),
    onAlbum: (await served.read(`/v1/playlists/${album}`, playlistSchema)).trackIds,
    track: await served.read(`/v1/tracks/${hymn}`, pricedTrackSchema),
    song: (await ask('getSong', { id: `tr-${hymn}` })).song,
  }
}

test('a track whose audio is replaced keeps its plays, its place on albums, its saves, and every link to it', async () => {
  expect(await ask('scrobble', { id: `tr-${hymn}` })).toMatchObject({ status: 'ok' })
  const before = await known()
  expect(before).toMatchObject({
    resolved: { kind: 'track', id: hymn },
    onAlbum: expect.arrayContaining([hymn]),
    track: { saveCount: 1 },
    song: { playCount: 1, starred: expect.any(String), duration: 180 },
  })

  const prev = await served.catalogue.digestOf(hymn)
  const again = await trackContent(hymn, { prev, durationMs: 90_000 }, { seed: 2 })
  await served.catalogue.put(actedLog({ author: guido, kind: 'track', subject: hymn, content: again }))
  expect(await served.catalogue.lastVerdicts(1)).toEqual([{ verdict: 'applied', reason: null }])

  const after = await known()
  expect(after.track.manifest).not.toBe(before.track.manifest)
  expect(after).toMatchObject({
    resolved: before.resolved,
    onAlbum: before.onAlbum,
    track: { id: hymn, durationMs: 90_000, createdAtMs: before.track.createdAtMs, saveCount: 1 },
    song: { playCount: 1, starred: expect.any(String), duration: 90 },
  })
  await ask('scrobble', { id: `tr-${hymn}` })
  expect((await known()).song).toMatchObject({ playCount: 2 })
})

import { request } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { exampleTrack } from '@hexachord/protocol/vectors'
import { afterEach, describe, expect, test } from '@jest/globals'
import { startBridge } from '../bridge/index.ts'
import {
  answerJson,
  connectionTo,
  mapPurseMemory,
  operatorOf,
  paymentsNetwork,
  purseAt,
  serve,
  serveBlocks,
  serveOperators,
  startTill,
  subject,
  trackOf,
  unitPrice,
  until,
} from '../fixtures/index.ts'
import { emptyState, type PurseMemory, paidPlays, type ToldTerms, termsFromIndex } from '../paying/index.ts'
import { channelWith, withChannel } from '../paying/purse-state.ts'
import { openTrack, playSegments } from './index.ts'

const { track: loaded, blocks } = await exampleTrack()
/** Far more than it takes to read a manifest that is there. */
const turnsToRead = 100

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function sellingNode() {
  const till = await startTill({ blocks, track: loaded, subject, unitPrice })
  const discovery = await serveOperators([operatorOf(till)])
  closing.push(till.close, discovery.close)
  return { till, discovery, track: trackOf(subject, loaded, [till.origin]) }
}

describe('a track that costs something', () => {
  test('is played from the node that is paid; what describes it comes from anybody', async () => {
    const { till, discovery, track } = await sellingNode()
    const holder = await serveBlocks(blocks)
    closing.push(holder.close)
    const purse = await purseAt(discovery)
    const holders = [{ operator: till.operator, endpoint: holder.origin }]
    const opened = await openTrack(connectionTo(), { ...track, holders }, { paying: paidPlays(purse) })
    const sources = []
    for await (const part of playSegments(opened, 2)) if ('source' in part) sources.push(part.source)
    expect(sources).toEqual(Array(4).fill(till.origin))
    expect(till.sold).toHaveLength(4)
    const segments = new Set(
      loaded.renditions.flatMap(({ segments }) => segments.map(([, , link]) => link['/'])),
    )
    expect(holder.given.filter((cid) => segments.has(cid))).toEqual([])
    expect(purse.channel(till.operator).cumulative).toBe(4n * unitPrice)
  })

  test('is paid while it opens where it is played at once, and costs nothing to open otherwise', async () => {
    const { till, discovery, track } = await sellingNode()
    const paying = paidPlays(await purseAt(discovery))
    await openTrack(connectionTo(), track, { paying })
    expect(till.requests.filter((line) => line.startsWith('POST'))).toEqual([])
    await openTrack(connectionTo(), track, { paying, playsFromMs: 0 })
    await until('the first unit is paid', () => till.vouchers.length > 0)
    expect(till.sold).toEqual([])
  })

  test('is paid before its manifest is there where the index says that it is no premium track', async () => {
    const { till, discovery, track } = await sellingNode()
    const paying = paidPlays(await purseAt(discovery))
    const nobody = { ...track, holders: [], durationMs: loaded.manifest.durationMs }
    for (const premium of [null, true]) {
      await expect(
        openTrack(connectionTo(), { ...nobody, premium }, { paying, playsFromMs: 0 }),
      ).rejects.toThrow()
    }
    expect(till.vouchers).toEqual([])
    const opening = openTrack(connectionTo(), { ...nobody, premium: false }, { paying, playsFromMs: 0 })
    await expect(opening).rejects.toThrow()
    await until('the first unit is paid', () => till.vouchers.length > 0)
    const opened = await openTrack(connectionTo(), { ...track, premium: false }, { paying, playsFromMs: 0 })
    for await (const _ of playSegments(opened, 2));
    expect(till.sold).toHaveLength(4)
  })

  test('has its first payment on the way before its manifest is read', async () => {
    const { till, discovery, track } = await sellingNode()
    const channel = { ...channelWith(emptyState(), till.operator), reserved: 1_000_000n }
    const state = withChannel(emptyState(), till.operator, channel)
    const kept = mapPurseMemory({ ...state, homes: [till.operator] })
    let isManifestThere = false
    const connection = connectionTo({
      async http(url, init) {
        const response = await fetch(url, init)
        const bytes = await response.arrayBuffer()
        isManifestThere = true
        return new Response(bytes, response)
      },
    })
    const memory: PurseMemory = {
      ...kept,
      async update(...change) {
        await until('the manifest is there', () => isManifestThere)
        for (let turn = 0; turn < turnsToRead; turn += 1) await nextTurn()
        return kept.update(...change)
      },
    }
    const purse = await purseAt(discovery, { memory })
    await purse.homes.find([till.operator], purse.homeCount)
    const paying = paidPlays(purse)
    const priced = { ...track, premium: false, durationMs: loaded.manifest.durationMs }
    await openTrack(connection, priced, { paying, playsFromMs: 0 })
    const [first, second, third] = till.requests.filter((line) => !line.includes('/pay/offer'))
    expect(first).toContain(track.manifest)
    expect(second).toBe('POST /pay/sessions')
    expect(third).toContain('/ipfs/')
  })

  test('is priced by the answer with which it was found, for whoever trusts the index', async () => {
    const { discovery, track } = await sellingNode()
    const connection = connectionTo({ discovery: discovery.origin })
    const purse = await purseAt(discovery, { termsOf: termsFromIndex(connection) })
    const currency = { token: paymentsNetwork.payments.token, decimals: 6 }
    const terms = { unitPrice: String(unitPrice), nodeBps: 1_500, curatorBps: 0, currency } as ToldTerms
    const opened = await openTrack(connectionTo(), { ...track, terms }, { paying: paidPlays(purse) })
    for await (const _ of playSegments(opened, 2));
    expect(discovery.requests.filter((line) => line.includes('/v1/tracks/'))).toEqual([])
    expect(Object.values((await purse.state()).channels)[0]?.cumulative).toBe(4n * unitPrice)
  })

  test('says that it is not free to whoever brings no purse', async () => {
    const { track } = await sellingNode()
    const opened = await openTrack(connectionTo(), track)
    const playing = (async () => {
      for await (const _ of playSegments(opened, 2));
    })()
    await expect(playing).rejects.toMatchObject({ name: 'PaymentNeeded', lack: 'purse' })
  })

  test('is paid by the bridge for any player', async () => {
    const { till, discovery, track } = await sellingNode()
    const finding = await serve((_request, response) => answerJson(response, track))
    closing.push(finding.close)
    const connection = connectionTo({ discovery: finding.origin })
    const purse = await purseAt(discovery)
    const bridge = await startBridge(connection, { paying: paidPlays(purse) })
    const free = await startBridge(connection)
    closing.push(bridge.close, free.close)
    const [, , link] = loaded.renditions[2]?.segments[1] ?? []
    const path = `ipfs/${link?.['/']}/1.m4s`
    const url = new URL(path, bridge.urlOf(subject))
    // As a page does that embeds a track of its own.
    const page = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'audio' }
    expect(await statusOf(new URL(`${bridge.origin}/${subject}/${path}`), page)).toBe(403)
    expect(await statusOf(new URL(`${bridge.origin}/${subject}/${path}`), {})).toBe(404)
    expect(await statusOf(url, page)).toBe(403)
    expect(till.sold).toEqual([])
    const paid = await fetch(url)
    expect(Buffer.from(await paid.arrayBuffer())).toEqual(Buffer.from(blocks.get(link?.['/'] ?? '') ?? []))
    expect(till.sold).toEqual([link?.['/']])
    const refused = await fetch(new URL(path, free.urlOf(subject)))
    expect(refused.status).toBe(402)
    expect(await refused.text()).toContain('not free')
  })
})

/** What `fetch` does not let us say. */
function statusOf(url: URL, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode))
    })
      .once('error', reject)
      .end()
  })
}

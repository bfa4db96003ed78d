import { verdictCodes } from '../actions/index.ts'
import type { Json } from '../canonical/index.ts'
import {
  addressOf,
  audioOf,
  nodeOf,
  profileOf,
  receiptsOf,
  type ScriptedBlock,
  scriptedNetwork,
  trackOf,
  writeChain,
} from './catalogue-script.ts'
import { judgedHistory } from './judged-history.ts'

const [ana, ben, anasPhone, anasNotary] = [addressOf(0xa1), addressOf(0xb1), addressOf(0xa2), addressOf(0xa3)]
const nodes = [nodeOf(0xc1), nodeOf(0xc2), nodeOf(0xc3)]
/** Registered and never staked. */
const idle = nodeOf(0xc4)
/** The first node after it has changed its key. */
const renewed = nodeOf(0xc1, 0xd1)
const song = trackOf(ana, 1)
const other = trackOf(ana, 2)
const mixtape = trackOf(ben, 7)
const lastCodeOfVersion1 = verdictCodes.listTooLong
const weekSeconds = 7 * 86_400

/** A small history of a network under version 1 of the rules, as logs, with each verdict, what it changes, and the state
 * hash after each block. It holds what those rules can say of an action, but for a playlist of more than 2,000 tracks. */
export async function catalogue(): Promise<Json> {
  const always = [{ fromBlock: 0, version: 1 }]
  const codes = Object.entries(verdictCodes).filter(([, code]) => code <= lastCodeOfVersion1)
  const judged = await judgedHistory(await history(), { ...scriptedNetwork, rulesVersions: always })
  return { network: scriptedNetwork, verdictCodes: Object.fromEntries(codes), ...judged }
}

async function history(): Promise<ScriptedBlock[]> {
  const chain = writeChain()
  const take = await audioOf('first take')
  const remix = await audioOf('remix')
  const words = { title: 'Übung №1', artist: 'Ana', licence: 'CC-BY-4.0', rightsHeld: true }

  chain.block(5)
  for (const { operator, hotKey } of [...nodes, idle]) {
    const endpoint = `https://${operator.slice(2, 4)}.example`
    chain.registry('OperatorRegistered', operator, operator, endpoint, '0x1220', hotKey.address, 10n ** 12n)
  }
  for (const { operator } of nodes)
    chain.vault('Staked', operator, operator, 500n * 10n ** 18n, 500n * 10n ** 18n)

  chain.block(6)
  chain.write(ana, profileOf(ana), 'user', { handle: 'ana', name: 'Ana', links: ['https://ana.example'] })
  // In the first epoch no operator counts yet.
  chain.act(ana, song, 'track', { ...words, ...take, receipts: [] })

  chain.block(20)
  chain.act(ben, profileOf(ben), 'user', { handle: 'ana' })
  chain.write(ben, profileOf(ben), 'user', { handle: 'ben', bio: 'Two lines,\nboth mine' })
  chain.write(ana, song, 'track', { ...words, ...take, receipts: await receiptsOf(song, take, nodes) })
  const one = await receiptsOf(other, remix, nodes.slice(0, 1))
  const two = await receiptsOf(other, remix, nodes.slice(0, 2))
  chain.act(ana, other, 'track', { ...words, ...remix, receipts: one })
  chain.act(ana, other, 'track', { ...words, ...take, receipts: two })
  chain.act(ana, other, 'track', { ...words, ...remix, receipts: [...one, ...one] })
  chain.act(ana, other, 'track', {
    ...words,
    ...remix,
    receipts: [...one, ...(await receiptsOf(other, remix, [idle]))],
  })
  chain.write(ana, other, 'track', {
    ...words,
    ...remix,
    title: 'Übung №1 (remix)',
    unlisted: true,
    receipts: two,
  })

  chain.block(21)
  chain.raw(ana, song, 9, new TextEncoder().encode('{"prev":null}'))
  chain.raw(ana, song, 2, new TextEncoder().encode('{"prev": null}'))
  chain.raw(ana, song, 2, Uint8Array.of(0xff, 0xfe))
  chain.act(ana, profileOf(ana), 'user', { handle: 'Ana' })
  chain.act(ana, song, 'track', { ...words, ...take, receipts: [] }, ben)
  chain.act(ben, song, 'track', { ...words, ...take, receipts: [] })
  chain.act(ben, song, 'user', { handle: 'ben' })
  chain.act(ana, profileOf(ana), 'track', { ...words, ...take, receipts: [] })
  chain.act(ben, mixtape, 'playlist', { add: [{ track: song }] })
  chain.write(ben, mixtape, 'playlist', { title: 'Mixtape', add: [{ track: song }, { track: other }] })
  chain.write(ben, mixtape, 'playlist', {
    album: true,
    remove: [song],
    add: [{ track: trackOf(ana, 3), at: 0 }],
  })
  chain.act(ben, mixtape, 'playlist', { prev: null, title: 'Late' })
  chain.act(ana, song, 'playlist', { title: 'A track already' })

  chain.block(22)
  chain.act(ana, song, 'track', { ...words, ...take, durationMs: 1, receipts: [] })
  chain.write(ana, song, 'track', { ...words, ...take, title: 'Übung №2', tags: ['étude'], receipts: [] })
  chain.write(ana, profileOf(ana), 'rotate', { controller: anasPhone, recovery: anasNotary })
  chain.act(ana, song, 'delete', {})
  chain.write(ana, profileOf(ana), 'user', { name: 'Ana' }, anasPhone)
  chain.write(ben, profileOf(ben), 'user', { handle: 'ana' })

  chain.block(23)
  const { operator, hotKey } = renewed
  chain.registry('OperatorUpdated', operator, 'https://c1.example', '0x1220', hotKey.address, 10n ** 12n)

  chain.block(24)
  const signed = await receiptsOf(song, remix, [renewed, ...nodes.slice(1, 2)])
  chain.write(ana, song, 'track', { ...words, ...remix, receipts: signed }, anasPhone)

  chain.block(25)
  chain.write(ben, mixtape, 'delete', {})
  chain.act(ben, mixtape, 'playlist', { title: 'Again' })
  chain.act(ben, trackOf(ben, 8), 'delete', { prev: `0x${'00'.repeat(32)}` })
  chain.act(ben, profileOf(ben), 'delete', {})
  chain.write(ana, profileOf(ana), 'rotate', { controller: anasNotary }, anasNotary)
  chain.act(ana, other, 'delete', {}, anasNotary)
  chain.vault(
    'Unbonding',
    nodes[2]?.operator,
    nodes[2]?.operator,
    1n,
    450n * 10n ** 18n,
    50n * 10n ** 18n,
    1n,
  )

  chain.block(60, weekSeconds)
  chain.write(ana, other, 'delete', {}, anasNotary)
  const three = trackOf(ben, 9)
  const late = [
    await receiptsOf(three, take, nodes),
    await receiptsOf(three, take, [renewed, ...nodes.slice(1, 2)]),
  ]
  for (const receipts of late) chain.act(ben, three, 'track', { ...words, ...take, receipts })

  chain.block(61)
  const notice = trackOf(ben, 10)
  const claim = { ground: 'copyright', statement: 'The recording is mine.' }
  chain.act(ben, profileOf(ben), 'notice', { ...claim, track: song })
  chain.act(ben, mixtape, 'notice', { ...claim, track: song })
  chain.write(ben, notice, 'notice', { ...claim, track: song, contact: 'ben@example.net' })
  chain.write(ben, notice, 'notice', { ...claim, ground: 'other', track: song })
  chain.act(ben, notice, 'notice', { ...claim, track: other })
  chain.act(ben, notice, 'playlist', { title: 'A notice already' })
  chain.write(ben, notice, 'delete', {})
  return chain.blocks
}

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

const [ana, ben, cleo] = [addressOf(0xa1), addressOf(0xb1), addressOf(0xe1)]
const [anasPhone, anasNotary, player] = [addressOf(0xa2), addressOf(0xa3), addressOf(0xf1)]
const nodes = [nodeOf(0xc1), nodeOf(0xc2), nodeOf(0xc3)]
const [song, bass, remix, second] = [1, 2, 3, 4].map((n) => trackOf(ana, n)) as [S, S, S, S]
const mixtape = trackOf(ben, 7)
const diary = trackOf(ben, 8)
const program = trackOf(cleo, 1)
type S = ReturnType<typeof trackOf>
const weekSeconds = 7 * 86_400
const dayMs = 86_400_000

/** The network of the other history, whose rules change at a block in the midst of this one. */
const network = { ...scriptedNetwork, rulesVersions: [{ fromBlock: 24, version: 2 }] }

/** A history that begins under version 1 of the rules and goes on under version 2: what version 2 can say of the kinds
 * that it added or changed. */
export async function social(): Promise<Json> {
  return { network, verdictCodes, ...(await judgedHistory(await history(), network)) }
}

async function history(): Promise<ScriptedBlock[]> {
  const chain = writeChain()
  const take = await audioOf('first take')
  const words = { artist: 'Ana', licence: 'CC-BY-4.0', rightsHeld: true, ...take }

  chain.block(5)
  for (const { operator, hotKey } of nodes) {
    const endpoint = `https://${operator.slice(2, 4)}.example`
    chain.registry('OperatorRegistered', operator, operator, endpoint, '0x1220', hotKey.address, 10n ** 12n)
    chain.vault('Staked', operator, operator, 500n * 10n ** 18n, 500n * 10n ** 18n)
  }

  // Under version 1 of the rules, what belongs to version 2 is unknown or malformed.
  chain.block(23)
  chain.write(ana, profileOf(ana), 'user', { handle: 'ana' })
  chain.write(ana, song, 'track', { ...words, title: 'Song', receipts: await receiptsOf(song, take, nodes) })
  chain.set(ben, profileOf(ben), 'follow', { user: ana, on: true })
  chain.act(ben, mixtape, 'playlist', { title: 'Mixtape', cover: take.manifest })
  chain.write(ana, profileOf(ana), 'rotate', { controller: ana, recovery: anasNotary })

  chain.block(24)
  const followed = chain.now()
  chain.set(ben, profileOf(ben), 'follow', { user: ana, on: true })
  chain.set(ben, profileOf(ben), 'follow', { user: ana, on: true })
  chain.set(ben, profileOf(ben), 'follow', { user: ben, on: true })
  chain.set(ben, mixtape, 'follow', { user: ana, on: true, atMs: followed + 1 })
  chain.set(ben, profileOf(ben), 'follow', { user: ana, on: true, atMs: followed + 3 })
  chain.set(ben, profileOf(ben), 'follow', { user: ana, on: false, atMs: followed + 2 })
  chain.set(ben, profileOf(ben), 'follow', { user: cleo, on: true, atMs: followed + 3_600_001 })
  chain.set(ben, profileOf(ben), 'follow', { user: cleo, on: true, atMs: followed + 3_600_000 })
  chain.set(ben, profileOf(ben), 'save', { target: song, on: true })
  chain.set(ben, profileOf(ben), 'save', { target: second, on: true })
  chain.set(ben, profileOf(ben), 'repost', { target: song, on: true })
  chain.set(ben, profileOf(ben), 'repost', { target: song, on: false, atMs: followed + 1 })

  chain.block(25)
  const remixOf = [{ track: song, credit: 'Song by Ana' }]
  const stemOf = { track: song, part: 'bass' }
  const credits = [{ name: 'Ben', role: 'bass', user: ben }]
  const named = { ...words, receipts: await receiptsOf(bass, take, nodes) }
  chain.act(ana, bass, 'track', { ...named, title: 'Bass', stemOf: { ...stemOf, track: second } })
  chain.act(ana, bass, 'track', { ...named, title: 'Bass', stemOf: { ...stemOf, track: bass } })
  chain.write(ana, bass, 'track', { ...named, title: 'Bass', stemOf, credits, unlisted: true })
  const again = { ...words, title: 'Song, again', receipts: await receiptsOf(remix, take, nodes) }
  chain.act(ana, remix, 'track', { ...again, stemOf: { ...stemOf, track: bass } })
  chain.write(ana, remix, 'track', { ...again, remixOf, releaseAtMs: chain.now() + dayMs })
  const bens = trackOf(ben, 9)
  const receipts = await receiptsOf(bens, take, nodes)
  chain.act(ben, bens, 'track', { ...words, title: 'Bass', receipts, stemOf })
  chain.write(ben, mixtape, 'playlist', {
    title: 'Mixtape',
    cover: take.manifest,
    add: [{ track: song }, { track: bass }, { track: remix }],
  })
  chain.write(ben, mixtape, 'playlist', {
    move: [
      { track: remix, to: 0 },
      { track: second, to: 0 },
      { track: remix, to: 1 },
    ],
    cover: null,
  })
  const sealed = { from: `0x${'05'.repeat(32)}`, keys: ['A'.repeat(64)], box: 'c2VhbGVk' }
  chain.act(ben, mixtape, 'playlist', { sealed })
  chain.act(ben, diary, 'playlist', { sealed, title: 'Diary' })
  chain.write(ben, diary, 'playlist', { sealed })
  chain.act(ben, diary, 'playlist', { title: 'Diary' })
  chain.write(ben, diary, 'playlist', { sealed: { ...sealed, box: 'YW5ldw' } })
  chain.set(cleo, profileOf(cleo), 'save', { target: diary, on: true })
  chain.write(ben, profileOf(ben), 'user', { name: 'Ben', sealingKey: `0x${'09'.repeat(32)}` })

  chain.block(26)
  const [first, answer, deeper, other] = [1, 2, 3, 4].map((n) => trackOf(ben, 100 + n)) as [S, S, S, S]
  chain.write(ben, first, 'comment', { track: song, text: 'Lovely bass', positionMs: 61_000 })
  chain.write(ben, answer, 'comment', { track: song, text: 'And the drums', replyTo: first })
  chain.write(ben, deeper, 'comment', { track: song, text: 'And the rest', replyTo: answer })
  chain.act(ben, other, 'comment', { track: remix, text: 'Elsewhere', replyTo: first })
  chain.act(ben, other, 'comment', { track: second, text: 'Nowhere' })
  chain.act(ben, deeper, 'comment', { track: song, text: 'Moved', replyTo: first })
  chain.act(ben, mixtape, 'comment', { track: song, text: 'On a tape' })
  chain.write(ben, deeper, 'comment', { track: song, text: 'And all the rest', replyTo: answer })
  chain.set(cleo, profileOf(cleo), 'react', { comment: first, reaction: 'love' })
  chain.set(cleo, profileOf(cleo), 'react', { comment: first, reaction: 'fire', atMs: chain.now() + 1 })
  chain.set(cleo, profileOf(cleo), 'react', { comment: other, reaction: 'fire' })
  chain.set(cleo, profileOf(cleo), 'react', { comment: other, reaction: null })
  chain.set(ana, song, 'pin', { comment: first })
  chain.set(ana, song, 'pin', { comment: answer, atMs: chain.now() + 1 })
  chain.set(ana, second, 'pin', { comment: first })
  chain.set(ana, remix, 'pin', { comment: null })
  chain.set(ana, profileOf(ana), 'mute', { user: ana, on: true })
  chain.set(ana, profileOf(ana), 'mute', { user: ben, on: true })
  chain.act(ben, first, 'comment', { track: song, text: 'Reworded' })
  chain.set(ana, profileOf(ana), 'mute', { user: ben, on: false, atMs: chain.now() + 1 })
  chain.write(ben, first, 'delete', {})
  chain.act(ben, other, 'comment', { track: song, text: 'Too late', replyTo: first })

  chain.block(27)
  const grant = { key: player, scopes: ['follow', 'playlist', 'delete'], expiresAtMs: chain.now() + dayMs }
  chain.write(cleo, program, 'app', { name: 'Player', url: 'https://player.example' })
  chain.act(cleo, profileOf(cleo), 'app', { name: 'Player' })
  chain.set(ana, profileOf(ana), 'delegate', { ...grant, app: trackOf(cleo, 2) })
  chain.set(ana, profileOf(ana), 'delegate', { ...grant, key: ana })
  chain.set(ana, profileOf(ana), 'delegate', { ...grant, expiresAtMs: chain.now() + 366 * dayMs + 1 })
  chain.set(ana, profileOf(ana), 'delegate', grant, player)
  chain.set(ana, profileOf(ana), 'follow', { user: ben, on: true }, player)
  chain.set(ana, profileOf(ana), 'delegate', { ...grant, app: program })
  chain.set(ana, profileOf(ana), 'follow', { user: ben, on: true }, player)
  chain.set(ana, profileOf(ana), 'save', { target: song, on: true }, player)
  chain.set(ana, profileOf(ana), 'delegate', { ...grant, atMs: chain.now() + 1 }, player)
  chain.act(ana, profileOf(ana), 'rotate', { controller: player }, player)
  chain.act(ana, song, 'delete', {}, player)
  const list = trackOf(ana, 20)
  chain.write(ana, list, 'playlist', { title: 'By the player' }, player)
  chain.write(ana, list, 'delete', {}, player)
  chain.set(ana, profileOf(ana), 'delegate', { ...grant, scopes: [], atMs: chain.now() + 2 })
  chain.set(ana, profileOf(ana), 'follow', { user: cleo, on: true }, player)
  chain.set(ana, profileOf(ana), 'delegate', { ...grant, atMs: chain.now() + 3 })
  chain.set(ana, profileOf(ana), 'follow', { user: cleo, on: true }, player)

  chain.block(28)
  chain.set(ben, profileOf(ben), 'save', { target: list, on: true })
  chain.write(ana, profileOf(ana), 'rotate', { controller: anasPhone })
  chain.set(ana, profileOf(ana), 'follow', { user: cleo, on: false }, player)
  chain.set(ana, profileOf(ana), 'delegate', { ...grant, expiresAtMs: chain.now() + 30 * dayMs }, anasPhone)
  chain.set(ana, profileOf(ana), 'follow', { user: cleo, on: false }, player)
  chain.write(ana, profileOf(ana), 'rotate', { controller: anasNotary }, anasNotary)

  // The recovery has come into force, and ends what the phone had delegated.
  chain.block(60, weekSeconds)
  chain.set(ana, profileOf(ana), 'follow', { user: ben, on: false }, player)
  chain.set(ana, profileOf(ana), 'follow', { user: ben, on: false }, anasNotary)
  chain.set(ana, profileOf(ana), 'delegate', grant, anasNotary)
  chain.set(ana, profileOf(ana), 'follow', { user: ben, on: true, atMs: chain.now() + 1 }, player)
  chain.write(ana, profileOf(ana), 'rotate', { controller: anasPhone }, anasNotary)
  return chain.blocks
}

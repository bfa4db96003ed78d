import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Comment, Track, User } from '@hexachord/protocol/rest'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import type { Connection } from '@hexachord/sdk/connect'
import { createKey } from '@hexachord/sdk/keys'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { Interface, JsonRpcProvider, Wallet } from 'ethers'
import { connectTo } from './artist.ts'
import { type HexachordCommand, hexachordCommand } from './hexachord-command.ts'
import { makeRecording } from './recordings.ts'

jest.setTimeout(180_000)

const network = testNetwork()
const rpc = ['--rpc', network.urls.chain]
let folder: TemporaryFolder
let connection: Connection
let provider: JsonRpcProvider
let artist: HexachordCommand
let listener: HexachordCommand
let author: string
let song: string

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  connection = await connectTo(network)
  provider = new JsonRpcProvider(network.urls.chain, network.chainId, { staticNetwork: true })
  const commandIn = async (name: string) => {
    await mkdir(path.join(folder.path, name))
    return hexachordCommand(network, path.join(folder.path, name))
  }
  artist = await commandIn('artist')
  listener = await commandIn('listener')
  song = await makeRecording(folder.path, { name: 'spoken', seconds: 14 })
  author = (await artist.answer<{ address: string }>('key', 'new')).address
  await listener.answer('key', 'new')
  await giveGas(author)
}, 90_000)
afterAll(async () => {
  provider?.destroy()
  await folder?.remove()
})

const giveGas = (address: string) => provider.send('anvil_setBalance', [address, '0xde0b6b3a7640000'])

async function read<T>(route: string): Promise<T> {
  const answer = await fetch(`${network.urls.discovery}/v1/${route}`)
  expect([route, answer.status]).toEqual([route, 200])
  return (await answer.json()) as T
}

/** Has a wallet with pocket money, all of it deposited. */
async function fillWallet(command: HexachordCommand): Promise<void> {
  const { address } = await command.answer<{ address: string }>('wallet', 'address')
  const { token = '' } = connection.payments?.payments ?? {}
  const giver = new Wallet(createKey().privateKey, provider)
  await giveGas(giver.address)
  await giveGas(address)
  const mint = new Interface(['function mint(address to, uint256 amount)'])
  const data = mint.encodeFunctionData('mint', [address, 4_000_000n])
  await (await giver.sendTransaction({ to: token, data })).wait()
  await command.answer('wallet', 'deposit', '4', ...rpc)
}

describe('through a network', () => {
  let track: Track['id']

  test('any player hears by the bridge what is encrypted, costs something and is for followers', async () => {
    const premium = ['--premium', '--price', '0.000134', '--artist', 'Ada', '--i-hold-the-rights', ...rpc]
    track = (await artist.answer<{ track: Track['id'] }>('upload', song, ...premium)).track
    await artist.answer('gate', track, '--follower')
    await fillWallet(listener)
    const bridge = await listener.start<{ tracks: { url: string }[] }>('bridge', track, ...rpc)
    const url = bridge.said.tracks[0]?.url ?? ''
    const media = await (await fetch(new URL('0.m3u8', url))).text()
    const segments = (media.match(/^[^#].*$/gm) ?? []).map((name) => new URL(name, url))
    expect(segments.length).toBeGreaterThan(2)
    const statuses = async () => Promise.all(segments.map(async (segment) => (await fetch(segment)).status))
    const refused = await fetch(segments[0] ?? url)
    expect([refused.status, await refused.text()]).toEqual([
      expect.any(Number),
      expect.stringMatching(/follow/),
    ])
    await listener.answer('follow', author)
    await eventually(statuses, {
      ...{ describe: 'key holders let the follower in', deadlineMs: 30_000 },
      until: (all) => all.every((status) => status === 200),
    })
    const { code, err } = await bridge.stop()
    expect(code).toBe(0)
    const lines = err.trim().split('\n')
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
      ended: true,
      paid: { tracks: { [track]: '402' } },
    })
  })

  test('a user says who they are, and what they make of others', async () => {
    await artist.answer('profile', '--handle', `ada_${author.slice(2, 10)}`, '--name', 'Ada')
    expect(await read<User>(`users/${author}`)).toMatchObject({ name: 'Ada', bio: null })
    await artist.answer('edit', track, '--mood', 'calm', '--bpm', '124', '--credit', 'mix=Ada')
    expect(await read<Track>(`tracks/${track}`)).toMatchObject({
      ...{ mood: 'calm', tags: ['bpm:124'], credits: [{ role: 'mix', name: 'Ada' }], artist: 'Ada' },
    })
    const { comment } = await listener.answer<{ comment: Comment['id'] }>('comment', track, 'Ut')
    await artist.answer('react', comment, 'love')
    await artist.answer('pin', comment)
    await listener.answer('reword', comment, 'Re')
    expect(await read<Comment>(`comments/${comment}`)).toMatchObject({
      ...{ text: 'Re', pinned: true, reactions: { love: 1 } },
    })
    const { address } = await listener.answer<{ address: string }>('key', 'show')
    await artist.answer('mute', address)
    expect(await artist.answer('comments', track)).toMatchObject({ items: [] })
    const { app } = await artist.answer<{ app: string }>('app', 'add', 'Player')
    await artist.answer('delegate', 'add', address, '--may', 'save', '--app', app, '--yes')
    expect(await artist.answer('delegate', 'list')).toMatchObject({
      items: [{ key: address, scopes: ['save'], appName: 'Player', inForce: true }],
    })
  })

  test('whose key was stolen speaks by a new one in the same name, and nobody else does', async () => {
    await artist.answer('app-password', 'create', 'kitchen radio')
    const { controller } = await artist.answer<{ controller: string }>('key', 'rotate', '--yes')
    expect(controller).not.toBe(author)
    expect(await read<User>(`users/${author}`)).toMatchObject({ controller, name: 'Ada' })
    expect(await artist.answer('delegate', 'list')).toMatchObject({ items: [{ inForce: false }] })
    await artist.answer('edit', track, '--title', 'Spoken anew')
    expect(await read<Track>(`tracks/${track}`)).toMatchObject({ title: 'Spoken anew', author })
    expect(await artist.answer('app-password', 'list')).toEqual({ items: [] })
    const made = await artist.answer<{ username: string }>('app-password', 'create', 'kitchen radio')
    expect(made.username).toBe(`ada_${author.slice(2, 10)}`)
    const fresh = await makeRecording(folder.path, { name: 'fresh', seconds: 7 })
    const uploaded = await artist.answer<{ track: string }>(
      ...['upload', fresh, '--artist', 'Ada', '--i-hold-the-rights'],
    )
    expect(uploaded.track.startsWith(`${author}-`)).toBe(true)
  })
})

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Gate } from '@hexachord/protocol/premium'
import type { Track } from '@hexachord/protocol/rest'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import type { Connection } from '@hexachord/sdk/connect'
import { findTrack, loadManifest } from '@hexachord/sdk/finding'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { JsonRpcProvider } from 'ethers'
import { connectTo } from './artist.ts'
import { type HexachordCommand, hexachordCommand } from './hexachord-command.ts'
import { makeRecording } from './recordings.ts'

jest.setTimeout(120_000)

const network = testNetwork()
let folder: TemporaryFolder
let connection: Connection
let command: HexachordCommand
let song: string
let artist: string

type Uploaded = { track: Track['id']; manifest: string; reused: boolean }
type Gates = { gates: { operator: string; gate: Gate | null; atMs?: number }[] }

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  connection = await connectTo(network)
  command = await hexachordCommand(network, folder.path)
  song = await makeRecording(folder.path, { name: 'hidden', seconds: 20, format: 'flac' })
  artist = (await command.answer<{ address: string }>('key', 'new')).address
  const provider = new JsonRpcProvider(network.urls.chain, network.chainId, { staticNetwork: true })
  await provider.send('anvil_setBalance', [artist, '0xde0b6b3a7640000'])
  provider.destroy()
}, 60_000)
afterAll(() => folder?.remove())

const said = ['--artist', 'Shell', '--licence', 'CC0-1.0', '--i-hold-the-rights']
const asPremium = () => ['--premium', '--price', '0', '--preview', '6', '--rpc', network.urls.chain]
const upload = (...args: string[]) => command.answer<Uploaded>('upload', ...args, ...said)
const gatesOf = (track: string, ...args: string[]) => command.answer<Gates>('gate', track, ...args)
const manifestOf = async (track: Track['id']) => loadManifest(connection, await findTrack(connection, track))

describe('hexachord upload --premium', () => {
  let free: Uploaded
  let premium: Uploaded

  test('of a file that was published in the clear makes another track, which is encrypted', async () => {
    free = await upload(song)
    premium = await upload(song, ...asPremium())
    expect(premium.track).not.toBe(free.track)
    const { manifest, renditions } = await manifestOf(premium.track)
    expect(manifest.keyHolders?.length).toBeGreaterThan(0)
    for (const { encryption } of renditions) expect(encryption?.method).toBe('AES-128')
    expect((await manifestOf(free.track)).manifest.keyHolders).toBeUndefined()
    expect(await upload(song)).toMatchObject({ track: free.track, reused: true })
  })

  test('given again changes neither who has the keys nor the gate', async () => {
    const { gates } = await gatesOf(premium.track, '--follower')
    expect(gates.map(({ gate }) => gate)).toEqual(gates.map(() => ({ kind: 'follower' })))
    expect(gates.map(({ operator }) => operator)).toEqual(
      (await manifestOf(premium.track)).manifest.keyHolders,
    )
    expect(await upload(song, ...asPremium())).toMatchObject({ track: premium.track, reused: true })
    expect(await gatesOf(premium.track)).toMatchObject({ gates })
  })

  test('is heard by a follower through the command, and by nobody else', async () => {
    const home = path.join(folder.path, 'listener')
    await mkdir(home)
    const listener = await hexachordCommand(network, home)
    await listener.answer('key', 'new')
    const play = () => listener.run('play', premium.track, '--output', 'null', '--json')
    const refused = await play()
    expect([refused.code, refused.err]).toEqual([5, expect.stringContaining('follow')])
    await listener.answer('follow', artist)
    const heard = await eventually(play, {
      describe: 'key holders have read of the follower',
      deadlineMs: 60_000,
      until: ({ code }) => code === 0,
    })
    expect(JSON.parse(heard.out)).toMatchObject({ hashFailures: 0 })
  })

  test('has a gate for who holds a token, and none again', async () => {
    const contract = `0x${'ab'.repeat(20)}`
    const { gates } = await gatesOf(premium.track, '--holder', contract, '--least', '5')
    const gate = { kind: 'holder', standard: 'erc20', contract, least: '5' }
    expect(gates.map((told) => told.gate)).toEqual(gates.map(() => gate))
    const none = await gatesOf(premium.track, '--none')
    expect(none.gates.map((told) => told.gate)).toEqual(none.gates.map(() => null))
  })

  test('never takes the place of what was free, nor what is free that of it unasked', async () => {
    const other = await makeRecording(folder.path, { name: 'other', seconds: 8, format: 'flac' })
    const late = await command.run('upload', other, ...said, ...asPremium(), '--replace', free.track)
    expect([late.code, late.err]).toEqual([5, expect.stringContaining('what was free stays so')])
    const careless = await command.run('upload', other, ...said, '--replace', premium.track)
    expect([careless.code, careless.err]).toEqual([2, expect.stringContaining('would be free for ever')])
    const { manifest } = await findTrack(connection, premium.track)
    expect(manifest).toBe(premium.manifest)
    await command.run('gate', premium.track, '--follower')
    const replaced = await upload(other, ...asPremium(), '--replace', premium.track)
    expect(replaced.track).toBe(premium.track)
    expect(replaced.manifest).not.toBe(premium.manifest)
    const { gates } = await gatesOf(premium.track)
    expect(gates.map(({ gate }) => gate)).toEqual(gates.map(() => ({ kind: 'follower' })))
  })
})

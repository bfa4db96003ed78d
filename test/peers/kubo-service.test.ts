import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Track } from '@hexachord/protocol/rest'
import {
  contentName,
  type LocalNetwork,
  layOut,
  preferredPorts,
  startLocalNetwork,
} from '@hexachord/scripts/local-network'
import { eventually, makeTemporaryFolder, type TemporaryFolder } from '@hexachord/scripts/testing'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readOrMakePeerId } from '../../scripts/local-network/peer-identity.ts'
import { testPortBase } from '../../scripts/testing/test-ports.ts'
import { type Artist, newArtist } from '../network/artist.ts'
import { wholeTrackOf } from '../network/node-blocks.ts'
import { makeRecording } from '../network/recordings.ts'
import { whyMissing } from './debian.ts'
import { bringKubo } from './kubo/bring-kubo.ts'
import { initKubo, type Kubo } from './kubo/start-kubo.ts'

const kuboProgram = await bringKubo()
const run = 'path' in kuboProgram ? describe : describe.skip
const name = contentName(0)

run(`a content service on a real Kubo${whyMissing(kuboProgram)}`, () => {
  const program = 'path' in kuboProgram ? kuboProgram.path : ''
  let folder: TemporaryFolder
  let kubo: Kubo
  let network: LocalNetwork
  let artist: Artist
  let first: Track

  beforeAll(async () => {
    folder = await makeTemporaryFolder()
    const directory = path.join(folder.path, 'network')
    const dataDirectory = layOut(directory).dataDirectory(name)
    const { text: identity } = await readOrMakePeerId(dataDirectory)
    const identityKey = await readFile(path.join(dataDirectory, 'libp2p.key'))
    kubo = await initKubo(program, folder.path, { identity, identityKey })
    await kubo.closeAndHarden()
    await kubo.start()
    const secretFile = path.join(folder.path, 'secret')
    await writeFile(secretFile, kubo.secret, { mode: 0o600 })
    network = await startLocalNetwork({
      directory,
      ports: preferredPorts(3, testPortBase()),
      blockEveryMs: 200,
      signal: new AbortController().signal,
      adjustService(plan) {
        if (plan.name !== name) return plan
        const onKubo = {
          IPFS_BACKEND: 'kubo',
          IPFS_API_URL: kubo.apiUrl,
          IPFS_API_SECRET_FILE: secretFile,
        }
        return { ...plan, variables: { ...plan.variables, ...onKubo } }
      },
    })
    artist = await newArtist(network)
  }, 180_000)
  afterAll(async () => {
    await network?.stop()
    await kubo?.stop()
    await folder?.remove()
  })

  const endpoint = () => network.urls.content[0] ?? ''
  const operator = () => network.operators.find((candidate) => candidate.name === name)?.address.toLowerCase()

  async function release(title: string) {
    const file = await makeRecording(folder.path, { name: title.replaceAll(' ', '-'), seconds: 20 })
    return artist.release(file, { title })
  }

  test('pulls what it is offered, signs for it and serves every block', async () => {
    const { upload, track } = await release('Held by Kubo')
    expect(upload.receipts).toHaveLength(3)
    const receipt = upload.receipts.find((candidate) => candidate.operator === operator())
    expect(receipt).toMatchObject({ manifest: track.manifest, storageRoot: track.storageRoot })
    first = track
    const { storage, blocks } = await wholeTrackOf(endpoint(), track.manifest)
    expect(storage.root).toBe(track.storageRoot)
    const pinned = (await kubo.ipfs('pin', 'ls', '--type=direct', '--quiet')).trim().split('\n')
    expect(pinned.length).toBeGreaterThanOrEqual(blocks)
  })

  test('is connected to the other nodes by bitswap, and to nobody else', async () => {
    const others = network.operators.map(({ peerId }) => peerId).filter((peerId) => peerId !== kubo.peerId)
    await eventually(
      // Two that dial each other at once keep both connections, and stand there twice.
      async () => [...new Set((await kubo.ipfs('swarm', 'peers')).trim().split('\n').map(peerIdOf))].sort(),
      {
        describe: 'all other nodes among the peers of Kubo',
        deadlineMs: 30_000,
        logDirectory: network.logDirectory,
        until: (peerIds) => JSON.stringify(peerIds) === JSON.stringify(others.sort()),
      },
    )
  })

  test('is not ready while its Kubo is away; what it was just pulling gets its receipt afterwards', async () => {
    const pinned = async () => (await kubo.ipfs('pin', 'ls', '--type=direct', '--quiet')).split('\n').length
    const held = await pinned()
    const uploading = release('During the pause')
    await eventually(async () => (await pinned()) > held, {
      describe: 'the first block of the second track',
      deadlineMs: 60_000,
      logDirectory: network.logDirectory,
    })
    await kubo.kill()
    const ready = await fetch(`${endpoint()}/ready`)
    expect(ready.status).toBe(503)
    expect(await ready.text()).toContain('Kubo')
    await kubo.start()
    const { upload, track } = await uploading
    expect(upload.receipts.map((receipt) => receipt.operator)).toContain(operator())
    for (const { manifest, storageRoot } of [first, track]) {
      expect((await wholeTrackOf(endpoint(), manifest)).storage.root).toBe(storageRoot)
    }
    expect((await fetch(`${endpoint()}/ready`)).status).toBe(200)
  })
})

function peerIdOf(address: string): string {
  return address.slice(address.lastIndexOf('/') + 1)
}

import { userSubject } from '@hexachord/protocol/names'
import type { UploadAnswer } from '@hexachord/protocol/rest'
import { findTrack } from '@hexachord/sdk/finding'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from '../network/artist.ts'
import { relay, signed, verdictOf } from '../network/direct-to-chain.ts'
import { wholeTrackOf } from '../network/node-blocks.ts'
import { makeRecording } from '../network/recordings.ts'
import { commonStateHash, type FaultNetwork, readJson, startFaultNetwork } from './fault-network.ts'
import { listen } from './listening.ts'
import { canMakeNamespaces, makeNamespaces, type Namespaces } from './namespaces.ts'

const creator = 'creator-node'
const services = ['content-service-1', 'content-service-2', 'content-service-3']
const seconds = 20
const possible = canMakeNamespaces()
if (!possible) process.stderr.write('Partitions are not tested: network namespaces take root, ip and nft.\n')

;(possible ? describe : describe.skip)('nodes that hold music, each in a namespace of its own', () => {
  let namespaces: Namespaces
  let network: FaultNetwork
  let artist: Artist
  const inside = [creator, 'redis', ...services]
  let takes = 0

  beforeAll(async () => {
    // Redis is the creator node's own, and lies where that does.
    namespaces = await makeNamespaces([creator, ...services])
    network = await startFaultNetwork({
      hostOf: (name) =>
        inside.includes(name) ? namespaces.host(name === 'redis' ? creator : name) : namespaces.outside,
    })
    artist = await newArtist(network)
  }, 120_000)
  afterAll(async () => {
    await network?.close()
    await namespaces?.close()
  })

  const hosts = () => [creator, ...services].map((name) => namespaces.host(name))
  afterEach(() => Promise.all(hosts().map((host) => host.heal())))

  async function newSong(): Promise<string> {
    takes += 1
    return makeRecording(network.folder, { name: `song ${takes}`, seconds, format: 'm4a' })
  }

  /** All agree, and each of the three operators has every block of the track. */
  async function expectHealed(manifest: string): Promise<void> {
    await commonStateHash(network)
    for (const origin of network.urls.content)
      await network.eventually(() => wholeTrackOf(origin, manifest), {
        describe: `every block of ${manifest} at ${origin}`,
        deadlineMs: 60_000,
        everyMs: 500,
      })
  }

  test('is reached by its own address alone', async () => {
    const { creator: origin, content } = network.urls
    expect(new Set([origin, ...content].map((each) => new URL(each).hostname)).size).toBe(4)
    const track = (await artist.release(await newSong())).track
    expect(track.holders.map(({ endpoint }) => endpoint).sort()).toEqual(content.toSorted())
    await namespaces.host('content-service-1').cut()
    await expect(readJson(`${content[0]}/status`, AbortSignal.timeout(1_000))).rejects.toThrow()
    await namespaces.host('content-service-1').heal()
    expect(await readJson(`${content[0]}/status`)).toMatchObject({ service: 'content-service' })
  }, 90_000)

  test('a content service that is cut off while an upload is replicated gets it when its link is healed', async () => {
    const lonely = namespaces.host('content-service-2')
    await lonely.cut()
    let state: string | undefined
    const uploading = artist.upload(await newSong(), {
      onProgress: (progress) => {
        if ('upload' in progress) state = progress.upload.state
      },
    })
    uploading.catch(() => undefined)
    await network.eventually(() => state, {
      describe: 'the upload at its operators',
      deadlineMs: 30_000,
      until: (now) => now === 'replicating',
    })
    await lonely.heal()
    const upload: UploadAnswer = await uploading
    const track = await artist.publish(upload)
    await expectHealed(track.manifest)
  }, 150_000)

  test('a creator node that is cut off from the chain refuses what is new, keeps what it took, and sends it when healed', async () => {
    const subject = userSubject(artist.account.address)
    const upload = await artist.upload(await newSong())
    await namespaces.host(creator).cutFrom(network.urls.chain)
    const publishing = artist.publish(upload)
    publishing.catch(() => undefined)
    const action = await signed(artist, {
      kind: 'user',
      subject,
      content: { prev: null, name: 'Behind a wall' },
    })
    const refusal = await relay(network.urls.creator, action, artist)
    expect(refusal.status).toBe(503)
    await namespaces.host(creator).heal()
    const track = await publishing
    expect((await relay(network.urls.creator, action, artist)).status).toBeLessThan(300)
    expect(await verdictOf(network.urls.discovery, action.hash)).toMatchObject({ status: 'applied' })
    await expectHealed(track.manifest)
  }, 120_000)

  test('a listener hears every byte of a track while every link loses a fifth of its packets', async () => {
    const { track } = await artist.release(await newSong())
    await Promise.all(hosts().map((host) => host.lose(20)))
    const found = await findTrack(artist.connection, track.id)
    const heard = await listen(artist.connection, found, network)
    expect(heard.segments).toBe(heard.of)
    expect(Math.abs(heard.ms - seconds * 1000)).toBeLessThan(250)
    expect(heard.faults.filter(({ kind }) => kind === 'lied')).toEqual([])
    await Promise.all(hosts().map((host) => host.heal()))
    await expectHealed(track.manifest)
  }, 150_000)

  test('an upload gets through while every link loses a fifth of its packets', async () => {
    await Promise.all(hosts().map((host) => host.lose(20)))
    const { track } = await artist.release(await newSong())
    await Promise.all(hosts().map((host) => host.heal()))
    await expectHealed(track.manifest)
  }, 180_000)
})

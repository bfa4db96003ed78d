import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { type Subject, userSubject } from '@hexachord/protocol/names'
import type { Track } from '@hexachord/protocol/rest'
import { createAppPasswordToken } from '@hexachord/protocol/tokens'
import {
  eventually,
  makeTemporaryFolder,
  type TemporaryFolder,
  testNetwork,
} from '@hexachord/scripts/testing'
import { createAppPassword } from '@hexachord/sdk/listening'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Artist, newArtist } from './artist.ts'
import { makeRecording } from './recordings.ts'
import { newSubject } from './tus.ts'

const network = testNetwork()
const { discovery } = network.urls
/** A word that no other file of tests uses. */
const word = `perusal${Date.now().toString(36)}`

let folder: TemporaryFolder
let artist: Artist
let listener: Artist
let track: Track
let hash: string
let playlist: Subject
let comment: Subject
let app: Subject
/** Names as apps of the pioneer know them. */
let pioneer: { track: string; user: string; playlist: string }

beforeAll(async () => {
  folder = await makeTemporaryFolder()
  ;[artist, listener] = await Promise.all([newArtist(network), newArtist(network)])
  const file = await makeRecording(folder.path, { name: 'every read', seconds: 3, format: 'm4a' })
  ;({ track } = await artist.release(file, { title: `Title ${word}`, tags: [word] }))
  ;[playlist, comment, app] = [newSubject(artist), newSubject(listener), newSubject(listener)]
  const them = userSubject(listener.account.address)
  const mark = { target: track.id, on: true, atMs: Date.now() }
  const follow = { user: artist.account.address, on: true, atMs: Date.now() }
  ;[{ hash }] = await Promise.all([
    artist.write('playlist', playlist, { prev: null, title: `List ${word}`, add: [{ track: track.id }] }),
    artist.write('user', userSubject(artist.account.address), {
      prev: null,
      name: `Name ${word}`,
      handle: word,
    }),
    listener.write('follow', them, follow),
    listener.write('save', them, mark),
    listener.write('repost', them, mark),
    listener.write('comment', comment, { prev: null, track: track.id, text: `Said ${word}` }),
    listener.write('notice', newSubject(listener), {
      ...{ prev: null, track: track.id, ground: 'other', statement: `Claimed ${word}` },
    }),
    listener.write('app', app, { prev: null, name: `App ${word}` }),
  ])
  const first = async (kind: string) => {
    const { data } = await json<{ data: { id: string; user_id: string }[] }>(
      `/pioneer/v1/${kind}/search?query=${word}`,
    )
    return data[0] ?? { id: '', user_id: '' }
  }
  const [ofTrack, ofPlaylist] = [await first('tracks'), await first('playlists')]
  pioneer = { track: ofTrack.id, user: ofTrack.user_id, playlist: ofPlaylist.id }
}, 120_000)
afterAll(() => folder?.remove())

const ask = (path: string, init: RequestInit = {}) =>
  fetch(discovery + path, { signal: AbortSignal.timeout(15_000), ...init })

async function json<Body>(path: string, init: RequestInit = {}): Promise<Body> {
  const response = await ask(path, init)
  expect([path, response.status]).toEqual([path, 200])
  return (await response.json()) as Body
}

/** What a path is asked about, by how it begins; the first that fits. */
const names = (): [beginning: string, name: string][] => [
  ['/pioneer/v1/users/handle', artist.account.address],
  ['/pioneer/v1/tracks', pioneer.track],
  ['/pioneer/v1/users', pioneer.user],
  ['/pioneer/v1/playlists', pioneer.playlist],
  ['/v1/users/{id}/following', listener.account.address],
  ['/v1/users/{id}/saves', listener.account.address],
  ['/v1/users/{id}/reposts', listener.account.address],
  ['/v1/users/{id}/feed.xml', artist.account.address],
  ['/v1/users/{id}/feed', listener.account.address],
  ['/v1/users/{id}/apps', listener.account.address],
  ['/v1/users', artist.account.address],
  ['/users', artist.account.address],
  ['/v1/tracks', track.id],
  ['/tracks', track.id],
  ['/v1/playlists', playlist],
  ['/playlists', playlist],
  ['/v1/comments', comment],
  ['/v1/apps', app],
  ['/v1/operators', network.operators[0]?.address ?? ''],
  ['/v1/actions', hash],
  ['/v1/blocks', String(track.last.block)],
]

const page = () => `url=${encodeURIComponent(`${discovery}/tracks/${track.id}`)}`

/** What some cannot do without, or would show otherwise only with luck. */
const queries = (): Record<string, string> => ({
  '/v1/tracks/trending': 'limit=100',
  '/v1/charts': 'limit=100',
  '/v1/search': `q=${word}`,
  '/v1/search/suggest': `q=${word}`,
  '/v1/notices': `track=${track.id}`,
  '/v1/resolve': page(),
  '/oembed': page(),
  '/pioneer/v1/resolve': page(),
  '/pioneer/v1/tracks': `id=${pioneer.track}`,
  '/pioneer/v1/users': `id=${pioneer.user}`,
  '/pioneer/v1/playlists': `id=${pioneer.playlist}`,
  '/pioneer/v1/tracks/search': `query=${word}`,
  '/pioneer/v1/users/search': `query=${word}`,
  '/pioneer/v1/playlists/search': `query=${word}`,
})

/** What the track and its people do not have: pictures, and a price. */
const absent = [
  '/v1/users/{id}/picture',
  '/v1/playlists/{id}/cover',
  '/v1/tracks/{id}/cover',
  '/v1/tracks/{id}/terms',
]

/** Those that tell of the network, of money, of keys, of more tracks by the same people, or whose answer is audio. */
const tellsOfOthers =
  /^\/(health|ready|status|openapi\.json|pioneer|v1\/(operators|blocks|app-passwords|writing-key).*|v1\/(users|tracks|comments)\/\{id\}\/(related|remixes|alike|stems|delegations|income|terms|replies|stream|audio\.m4a|download))$|\/(stream|download|albums|following|favorites|reposts|followers)$/

describe('in a real network', () => {
  test('every read of the API answers, and shows what there is', async () => {
    await eventually(async () => (await ask('/v1/tracks/trending?limit=100')).text(), {
      describe: 'the track in trending',
      deadlineMs: 20_000,
      everyMs: 1_000,
      until: (text) => text.includes(track.id),
    })
    const { paths } = await json<{ paths: Record<string, { get?: unknown }> }>('/openapi.json')
    const reads = Object.keys(paths).filter((path) => paths[path]?.get && path !== '/v1/events')
    expect(reads.length).toBeGreaterThan(70)
    const authorization = await listener.token(discovery)
    const wrong: unknown[] = []
    for (const path of reads) {
      const name = names().find(([beginning]) => path.startsWith(beginning))?.[1] ?? ''
      const query = queries()[path]
      const asked = path.replace(/\{\w+\}/, name) + (query === undefined ? '' : `?${query}`)
      const response = await ask(asked, asked.startsWith('/v1/') ? { headers: { authorization } } : {})
      const text = await response.text()
      const status = absent.includes(path) ? 404 : 200
      const isShown = [word, track.id, pioneer.track, name].some((one) => one !== '' && text.includes(one))
      if (response.status !== status || !(isShown || absent.includes(path) || tellsOfOthers.test(path)))
        wrong.push([asked, response.status, text.slice(0, 300)])
    }
    expect(wrong).toEqual([])
  }, 90_000)

  test('every command of the page about the API is answered, as it stands there, by curl', async () => {
    const { id } = await createAppPassword(listener.connection, listener.account, 'to be revoked')
    const minting = await createAppPasswordToken(listener.account.signer, listener.connection.domain, {
      ...{ audience: discovery, expiresAt: Date.now() + 60_000, device: 'by curl' },
      nonce: `0x${randomBytes(32).toString('hex')}`,
    })
    const environment = {
      ...process.env,
      TOKEN: (await listener.token(discovery)).replace('Hexachord ', ''),
      APP_PASSWORD_MESSAGE: minting.replace('Hexachord ', ''),
    }
    const html = await (await ask('/docs')).text()
    const commands = [...html.matchAll(/<pre><code>(curl .*?)<\/code><\/pre>/gs)].map(([, text = '']) =>
      shown(text).replace('APP_PASSWORD_ID', id),
    )
    const { paths } = await json<{ paths: Record<string, object> }>('/openapi.json')
    expect(commands).toHaveLength(
      Object.values(paths).flatMap((operations) => Object.keys(operations)).length,
    )
    expect(commands.filter((command) => /[A-Z]+_ID|HANDLE|WORDS|ACTION_HASH/.test(command))).toEqual([])
    const wrong: unknown[] = []
    for (const command of commands) {
      // One without an end is heard for a moment.
      const seconds = command.includes(' -N ') ? 2 : 20
      const more = `--silent --output /dev/null --max-time ${seconds} --write-out '%{http_code}'`
      const { stdout } = await promisify(execFile)('sh', ['-c', `${command} ${more} || true`], {
        env: environment,
      })
      const isAbsent = absent.some((path) => new RegExp(`${path.replace('{id}', '[^/]+')}'`).test(command))
      if (!(isAbsent ? /^404$/ : /^(200|201|302)$/).test(stdout)) wrong.push([command, stdout])
    }
    expect(wrong).toEqual([])
  }, 90_000)

  test('events tell of the track, and of a play that a player reports as ListenBrainz has it', async () => {
    const response = await ask(`/v1/events?after=${track.last.block - 1}-0`)
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const until = async (wanted: string) => {
      while (!text.includes(wanted)) {
        const read = await reader?.read()
        if (read === undefined || read.done) throw new Error(`the stream ended without ${wanted}: ${text}`)
        text += read.value
      }
    }
    await until('event: state')
    expect(text).toContain(word)
    const { password } = await createAppPassword(listener.connection, listener.account, 'every read')
    const headers = { authorization: `Token ${password}`, 'content-type': 'application/json' }
    expect(await json('/1/validate-token', { headers })).toMatchObject({ valid: true })
    const origin_url = `${discovery}/tracks/${track.id}`
    const track_metadata = { artist_name: 'a', track_name: 'b', additional_info: { origin_url } }
    const body = JSON.stringify({ listen_type: 'single', payload: [{ track_metadata }] })
    expect(await json('/1/submit-listens', { method: 'POST', headers, body })).toEqual({ status: 'ok' })
    await until('event: plays')
    await until(`{"track":"${track.id}"`)
    await reader?.cancel()
    const played = await json<{ data: object }>(`/pioneer/v1/tracks/${pioneer.track}`)
    expect(played.data).toMatchObject({ play_count: 1, favorite_count: 1 })
  }, 30_000)
})

/** Text of the page as it is read. */
function shown(html: string): string {
  const marks: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return html.replaceAll(/&(amp|lt|gt|quot|#39);/g, (mark, name: string) => marks[name] ?? mark)
}

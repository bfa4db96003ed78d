import { authorOf, subjectOf } from '@hexachord/protocol/names'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import {
  guido,
  hidden,
  hymn,
  joga,
  type ServedCatalogue,
  serveCatalogue,
} from '../fixtures/served-catalogue.ts'
import { type Listener, newListener } from '../fixtures/subsonic-listener.ts'
import { actedLog, operators, trackContent } from '../fixtures/synthetic-network.ts'

const scheduled = subjectOf(guido, 40n)

let served: ServedCatalogue
let me: Listener
beforeAll(async () => {
  served = await serveCatalogue()
  me = await newListener(served, '5e')
  const fields = { prev: null, title: 'Ut soon', releaseAtMs: 4_000_000_000_000 }
  const by = operators.filter((_, index) => index !== 1)
  const content = await trackContent(scheduled, fields, { by })
  await served.catalogue.put(
    actedLog({ author: authorOf(scheduled), kind: 'track', subject: scheduled, content }),
  )
})
afterAll(() => served.close())

async function ask(path: string, body?: unknown, token: string | null = me.password.password) {
  const response = await fetch(`${served.origin}/1/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === null ? {} : { authorization: `Token ${token}` }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const listen = (track_name: string, artist_name: string, origin_url?: string, listened_at?: number) => ({
  ...(listened_at === undefined ? {} : { listened_at }),
  track_metadata: {
    ...{ track_name, artist_name, release_name: 'Anything' },
    additional_info: { submission_client: 'test', ...(origin_url ? { origin_url } : {}) },
  },
})

const submit = (listen_type: string, ...payload: unknown[]) => ask('submit-listens', { listen_type, payload })

async function counted() {
  const rows = await served.catalogue.rows('play')
  return Object.fromEntries(rows.map(({ track, count }) => [track, count]))
}

const ok = { status: 200, body: { status: 'ok' } }

describe('a player that speaks ListenBrainz', () => {
  test('logs in by an app password', async () => {
    expect(await ask('validate-token')).toEqual({
      status: 200,
      body: { code: 200, message: 'Token valid.', valid: true, user_name: me.account },
    })
    expect(await ask('validate-token', undefined, 'nothing')).toMatchObject({ body: { valid: false } })
    expect(await ask('validate-token', undefined, null)).toMatchObject({ status: 401, body: { code: 401 } })
  })

  test('tells what was heard, by title and artist or by id, and it is counted by track and day', async () => {
    const seconds = Math.floor(Date.now() / 1000)
    expect(await submit('single', listen('jóga', 'BJÖRK', undefined, seconds))).toEqual(ok)
    const link = (track: string) => `https://discovery.example/tracks/${track}`
    expect(
      await submit(
        'import',
        listen('Ut queant laxis', 'Guido', undefined, seconds),
        listen('Anything', 'Anyone', link(hymn), seconds - 1),
        listen('Ut queant laxis', 'Somebody else'),
        listen('Queant', 'Guido'),
        // Unlisted is found by its id alone; what is still to be released, by nothing.
        listen('Ut hidden', 'Guido'),
        listen('Ut hidden', 'Guido', link(hidden)),
        listen('Ut soon', 'Guido'),
        listen('Ut soon', 'Guido', link(scheduled)),
        listen('', 'a\u0000b'),
      ),
    ).toEqual(ok)
    expect(await counted()).toEqual({ [joga]: 1, [hymn]: 2, [hidden]: 1 })
    expect(await submit('playing_now', listen('Jóga', 'Björk'))).toEqual(ok)
    expect(await counted()).toMatchObject({ [joga]: 1 })
  })

  test('has as many plays as other players of the same device', async () => {
    const many = Array.from({ length: 300 }, () => listen('Jóga', 'Björk'))
    expect(await submit('import', ...many)).toEqual(ok)
    expect(await me.ask('scrobble', { id: `tr-${hymn}` })).toEqual({})
    // Two hundred, of which ten were of the test before.
    expect(await counted()).toMatchObject({ [joga]: 191, [hymn]: 2 })
  })

  test('a scrobble of what is still to be released is not counted either', async () => {
    const other = await newListener(served, '6e')
    expect(await other.ask('scrobble', { id: [`tr-${scheduled}`, `tr-${hymn}`] })).toEqual({})
    expect(await counted()).toEqual({ [joga]: 191, [hymn]: 3, [hidden]: 1 })
  })

  test.each([
    [400, 'not JSON', '{'],
    [400, 'no listens', { listen_type: 'import', payload: [] }],
    [400, 'two at once', { listen_type: 'single', payload: [listen('a', 'b'), listen('a', 'b')] }],
    [400, 'no artist', { listen_type: 'single', payload: [{ track_metadata: { track_name: 'a' } }] }],
    [400, 'another type', { listen_type: 'rating', payload: [listen('a', 'b')] }],
    [413, 'too much', { listen_type: 'x'.repeat(3 << 20), payload: [] }],
  ])('is told with %i what is wrong: %s', async (status, _, body) => {
    const error = expect.any(String)
    expect(await ask('submit-listens', body)).toEqual({ status, body: { code: status, error } })
  })

  test('can do nothing without a login, and read nothing that is not kept', async () => {
    const body = { listen_type: 'single', payload: [listen('Jóga', 'Björk')] }
    expect(await ask('submit-listens', body, 'nothing')).toMatchObject({ status: 401 })
    expect(await ask(`user/${me.account}/listens`)).toMatchObject({ status: 404, body: { code: 404 } })
  })
})

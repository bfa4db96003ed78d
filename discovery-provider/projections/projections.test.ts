import type { SubjectState } from '@hexachord/protocol/actions'
import { type Address, type Hash, subjectOf, userSubject } from '@hexachord/protocol/names'
import type { Operator } from '@hexachord/protocol/operators'
import { describe, expect, test } from '@jest/globals'
import { operatorRowOf } from './operators.ts'
import { playlists } from './playlists.ts'
import { profiles } from './profiles.ts'
import { storableText } from './storable-text.ts'
import { tracks } from './tracks.ts'

const author: Address = `0x${'a1'.repeat(20)}`
const subject = subjectOf(author, 7n)
const digest: Hash = `0x${'dd'.repeat(32)}`

function state(kind: SubjectState['kind'], body: SubjectState['body'], deleted = false): SubjectState {
  const times = { createdAtMs: 1_000, updatedAtMs: 2_000 }
  return { kind, author, digest, ...times, block: 12, logIndex: 3, deleted, body }
}

const last = { created_at_ms: 1_000, updated_at_ms: 2_000, block: 12, log_index: 3, digest }

describe('a row', () => {
  const body = {
    manifest: 'baguqeera',
    storageRoot: digest,
    leafCount: 4,
    byteLength: 1024,
    durationMs: 6_000,
    title: 'Ut',
    artist: 'Guido',
    licence: 'CC0-1.0',
    rightsHeld: true,
    operators: [author],
  }

  test('of a track has null for what the author left out', () => {
    expect(tracks.rowOf(subject, state('track', body))).toEqual({
      ...last,
      id: subject,
      author,
      title: 'Ut',
      artist: 'Guido',
      album: null,
      genre: null,
      mood: null,
      tags: [],
      description: null,
      isrc: null,
      licence: 'CC0-1.0',
      unlisted: false,
      duration_ms: 6_000,
      manifest: 'baguqeera',
      storage_root: digest,
      leaf_count: 4,
      byte_length: 1024,
      operators: [author],
      release_at_ms: null,
      remix_of: [],
      remix_credits: [],
      stem_of: null,
      stem_part: null,
      credits: [],
    })
  })

  test('of a profile goes by the address', () => {
    expect(profiles.rowOf(userSubject(author), state('user', { handle: 'guido' }))).toEqual({
      ...last,
      id: author,
      handle: 'guido',
      name: null,
      bio: null,
      links: [],
      picture: null,
      sealing_key: null,
    })
  })

  test('of a playlist names its tracks in order', () => {
    const row = playlists.rowOf(subject, state('playlist', { title: 'Hymns', tracks: ['b', 'a'] }))
    expect(row).toMatchObject({ title: 'Hymns', album: false, unlisted: false, tracks: ['b', 'a'] })
  })

  test('is not there for what was deleted, or is of another kind', () => {
    expect(tracks.rowOf(subject, state('track', {}, true))).toBeUndefined()
    expect(playlists.rowOf(subject, state('playlist', {}, true))).toBeUndefined()
    expect(tracks.rowOf(subject, state('playlist', { title: 'x', tracks: [] }))).toBeUndefined()
    expect(playlists.rowOf(subject, state('track', body))).toBeUndefined()
    expect(profiles.rowOf(subject, state('track', body))).toBeUndefined()
  })

  test('has every column of its projection', () => {
    for (const [projection, value] of [
      [tracks, state('track', body)],
      [playlists, state('playlist', { title: 'x', tracks: [] })],
      [profiles, state('user', {})],
    ] as const) {
      const row = projection.rowOf(subject, value)
      expect(Object.keys(row ?? {}).sort()).toEqual([...projection.columns].sort())
    }
  })
})

describe('an id', () => {
  test('is of the tables in which a subject can be: never the profile of a track', () => {
    expect([tracks.idOf(subject), playlists.idOf(subject), profiles.idOf(subject)]).toEqual([
      subject,
      subject,
      undefined,
    ])
    const user = userSubject(author)
    expect([tracks.idOf(user), playlists.idOf(user), profiles.idOf(user)]).toEqual([
      undefined,
      undefined,
      author,
    ])
  })
})

describe('an operator', () => {
  const operator: Operator = {
    operator: author,
    controller: author,
    endpoint: 'https://node.example',
    peerId: '0x00',
    hotKey: author,
    capacityBytes: 2n ** 64n - 1n,
    exiting: false,
    stakeWei: 2n ** 256n - 1n,
    active: true,
  }

  test('has a gateway where its endpoint is a web address', () => {
    expect(operatorRowOf(operator)).toMatchObject({
      gateway: 'https://node.example',
      capacity_bytes: '18446744073709551615',
      stake_wei: (2n ** 256n - 1n).toString(),
    })
    for (const endpoint of ['javascript:alert(1)', 'node.example', '', 'file:///etc/passwd']) {
      expect(operatorRowOf({ ...operator, endpoint }).gateway).toBeNull()
    }
  })
})

test('text is made so that a database can hold it', () => {
  expect(storableText('a\0b\ud800c\u{1f3b5}')).toBe('a\ufffdb\ufffdc\u{1f3b5}')
})

import { randomBytes } from 'node:crypto'
import {
  followKey,
  kinds,
  playlistSteps,
  type Register,
  type SubjectState,
  saveKey,
  subjectKey,
} from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
import { checked } from '@hexachord/protocol/checked'
import {
  type Address,
  freshNumber,
  type Hash,
  type Subject,
  subjectOf,
  userSubject,
} from '@hexachord/protocol/names'
import { readState } from '../indexing/state.ts'
import { SubsonicError } from './errors.ts'
import { albumOf, authorOf, notFound, playlistId, playlistOf, trackOf } from './ids.ts'
import type { Asked, Methods, SubsonicParts } from './method.ts'
import type { Parameters } from './parameters.ts'
import { playlistMethods, readPlaylist } from './playlists.ts'
import { maximumSongs, readHiddenSongs, readPlaylistSongs } from './songs.ts'

/** Favourites that one request sets. */
const maximumMarks = 50

/** What one request asks of a playlist. */
type PlaylistChange = {
  readonly fields: { readonly [name: string]: Json }
  /** What it holds, and what it is to hold. */
  readonly have: readonly Subject[]
  readonly want: readonly Subject[]
}

/** Methods that write to the catalogue, in the name of listeners who have let this server do so. */
export function writingMethods(parts: SubsonicParts): Methods {
  const { postgres, writes, now } = parts
  const { getPlaylist } = playlistMethods(parts)

  async function penOf(account: Address) {
    if (writes === undefined) {
      throw new SubsonicError(
        'notAuthorized',
        'this server only reads: do it with a client that holds your key',
      )
    }
    return writes.open(account)
  }

  /** Saves or follows, or no longer, what the parameters name. */
  async function mark({ parameters, login: { account } }: Asked, on: boolean): Promise<void> {
    const marks = marksOf(parameters, account)
    const pen = await penOf(account)
    const known = await readState(
      postgres,
      marks.map(({ key }) => key),
    )
    const drawn = marks.map(({ key, kind, content }) => {
      // Another device's clock may be ahead of ours, and the latest word counts.
      const before = known.get(key) as Register | undefined
      const atMs = Math.max(now(), (before?.atMs ?? 0) + 1)
      return pen.sign({ kind, subject: userSubject(account), content: { ...content, on, atMs } })
    })
    await pen.send(await Promise.all(drawn))
  }

  async function change(
    account: Address,
    { subject, prev, ...change }: PlaylistChange & { subject: Subject; prev: Hash | null },
  ): Promise<'applied' | 'pending'> {
    if (new Set(change.want).size > maximumSongs) {
      throw new SubsonicError('generic', `a playlist holds ${maximumSongs} songs at most`)
    }
    const pen = await penOf(account)
    const actions = []
    let last = prev
    for (const content of playlistSteps(change)) {
      const action = await pen.sign({ kind: 'playlist', subject, content: { prev: last, ...content } })
      actions.push(action)
      last = action.hash
    }
    return pen.send(actions)
  }

  /** The songs of a playlist that its author's players are shown. */
  async function shownSongs(tracks: readonly Subject[], account: Address): Promise<Subject[]> {
    const songs = await readPlaylistSongs(postgres, tracks, account, now())
    return songs.map(({ id }) => id as Subject)
  }

  /** One of the listener's own. */
  async function ownPlaylist(
    id: string,
    account: Address,
  ): Promise<{ subject: Subject; have: Subject[]; prev: Hash }> {
    const subject = playlistOf(id)
    const row = await readPlaylist(postgres, subject, account, now())
    if (row === undefined) throw notFound('playlist', id)
    if (row.author !== account) throw new SubsonicError('notAuthorized', 'this playlist is somebody else’s')
    const state = await readState(postgres, [subjectKey(subject)])
    return {
      subject,
      have: row.tracks as Subject[],
      prev: (state.get(subjectKey(subject)) as SubjectState).digest,
    }
  }

  return {
    async star(asked) {
      await mark(asked, true)
      return {}
    },
    async unstar(asked) {
      await mark(asked, false)
      return {}
    },
    setRating() {
      throw new SubsonicError(
        'notAuthorized',
        'nobody rates here: a favourite is all the rating that there is',
      )
    },
    async createPlaylist(asked) {
      const { parameters, login } = asked
      const songs = parameters.list('songId').map(trackOf)
      const name = parameters.text('name')
      const id = parameters.text('playlistId')
      const fields = fieldsOf({ title: name })
      let subject: Subject
      let outcome: 'applied' | 'pending'
      if (id === undefined) {
        parameters.required('name')
        subject = subjectOf(
          login.account,
          freshNumber((bytes) => randomBytes(bytes.length)),
        )
        outcome = await change(login.account, { subject, prev: null, fields, have: [], want: songs })
      } else {
        const own = await ownPlaylist(id, login.account)
        subject = own.subject
        const hidden = new Set(await readHiddenSongs(postgres, own.have, login.account, now()))
        outcome = await change(login.account, { ...own, fields, want: withHidden(own.have, hidden, songs) })
      }
      // Before version 1.14 of the protocol the answer was empty.
      if (outcome === 'pending' || getPlaylist === undefined) return {}
      const shown = { ...parameters, required: () => playlistId(subject) }
      return getPlaylist({ ...asked, parameters: shown })
    },
    async updatePlaylist({ parameters, login: { account } }) {
      const own = await ownPlaylist(parameters.required('playlistId'), account)
      const isPublic = parameters.text('public') === undefined ? undefined : parameters.flag('public', true)
      const fields = fieldsOf({
        title: parameters.text('name'),
        // Some players write lines as Windows does.
        description: parameters.list('comment')[0]?.replaceAll('\r\n', '\n'),
        unlisted: isPublic === undefined ? undefined : !isPublic,
      })
      const add = parameters.list('songIdToAdd').map(trackOf)
      const places = parameters.list('songIndexToRemove')
      // Places are those of the songs that the player has been shown.
      const songs = places.length === 0 ? [] : await shownSongs(own.have, account)
      const remove = places.map((place) => {
        const song = /^\d{1,6}$/.test(place) ? songs[Number(place)] : undefined
        if (song === undefined)
          throw new SubsonicError('notFound', `the playlist has no song at place ${place}`)
        return song
      })
      const removed = new Set(remove)
      const want = [...own.have.filter((track) => !removed.has(track)), ...add]
      await change(account, { ...own, fields, want })
      return {}
    },
    async deletePlaylist({ parameters, login: { account } }) {
      const { subject, prev } = await ownPlaylist(parameters.required('id'), account)
      const pen = await penOf(account)
      await pen.send([await pen.sign({ kind: 'delete', subject, content: { prev } })])
      return {}
    },
  }
}

/** What is to be a favourite: songs and albums that are saved, and artists that are followed. */
type Mark =
  | { readonly key: string; readonly kind: 'save'; readonly content: { readonly target: Subject } }
  | { readonly key: string; readonly kind: 'follow'; readonly content: { readonly user: Address } }

/** Each once. @throws SubsonicError */
function marksOf(parameters: Parameters, account: Address): Mark[] {
  const ids = ['id', 'albumId', 'artistId'].flatMap((name) => parameters.list(name))
  if (ids.length === 0) throw new SubsonicError('missingParameter', "the parameter 'id' is missing")
  if (ids.length > maximumMarks) throw new SubsonicError('generic', `at most ${maximumMarks} at a time`)
  const marks = ids.map((id) => markOf(id, account))
  return [...new Map(marks.map((mark) => [mark.key, mark])).values()]
}

function markOf(id: string, account: Address): Mark {
  if (id.startsWith('ar-')) {
    const user = authorOf(id)
    return { key: followKey(account, user), kind: 'follow', content: { user } }
  }
  const album = id.startsWith('al-') ? albumOf(id) : undefined
  if (album && 'singlesOf' in album) {
    throw new SubsonicError('generic', 'singles are no album: choose its songs')
  }
  const target = album ? album.playlist : trackOf(id)
  return { key: saveKey(account, target), kind: 'save', content: { target } }
}

/** What players call the texts of a playlist, and what they may hold. */
const texts: Readonly<Record<string, string>> = {
  title: "'name' must be one line of at most 200 characters",
  description: "'comment' must be text of at most 2000 characters",
}

/** Those fields of a playlist that are said. @throws SubsonicError 0 for what no playlist can be called */
function fieldsOf(said: { readonly [name: string]: string | boolean | undefined }): PlaylistChange['fields'] {
  const given = Object.entries(said).filter(
    (entry): entry is [string, string | boolean] => entry[1] !== undefined,
  )
  const fields = Object.fromEntries(given)
  const { error } = checked(kinds.playlist.schema, { prev: null, ...fields })
  const [issue] = error?.issues ?? []
  if (issue === undefined) return fields
  const problem = texts[String(issue.path[0])] ?? issue.message
  throw new SubsonicError('generic', `${problem}, without control characters`)
}

/** What a playlist is to hold when a player says all that it holds. The player knows only what it has been shown: what
 * is not out yet, or unlisted, stays behind the song behind which it stands.
 * @param songs as the player says */
function withHidden(
  have: readonly Subject[],
  hidden: ReadonlySet<string>,
  songs: readonly Subject[],
): Subject[] {
  const said = new Set(songs)
  const behind = new Map<Subject | undefined, Subject[]>()
  let last: Subject | undefined
  for (const track of have) {
    if (said.has(track)) last = track
    else if (hidden.has(track)) behind.set(last, [...(behind.get(last) ?? []), track])
  }
  return [undefined, ...said].flatMap((track) => [...(track ? [track] : []), ...(behind.get(track) ?? [])])
}

import { randomBytes } from 'node:crypto'
import { type Register, type SubjectState, saveKey, subjectKey } from '@hexachord/protocol/actions'
import type { Json } from '@hexachord/protocol/canonical'
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
import { albumOf, notFound, playlistId, playlistOf, trackOf } from './ids.ts'
import type { Asked, Methods, SubsonicParts } from './method.ts'
import type { Parameters } from './parameters.ts'
import { type PlaylistRow, playlistMethods, readPlaylist } from './playlists.ts'
import { readSongs } from './songs.ts'

/** Favourites that one request sets. */
const maximumMarks = 50

/** So many names fit into the content of one action, beside title and description. */
const namesPerAction = 60

/** What one request asks of a playlist. */
type PlaylistChange = {
  readonly fields: { readonly [name: string]: Json }
  readonly remove: readonly Subject[]
  readonly add: readonly Subject[]
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

  /** Saves, or no longer, what the parameters name. */
  async function mark({ parameters, login: { account } }: Asked, on: boolean): Promise<void> {
    const targets = markedOf(parameters)
    const pen = await penOf(account)
    const keys = targets.map((target) => saveKey(account, target))
    const known = await readState(postgres, keys)
    const drawn = targets.map((target) => {
      // Another device's clock may be ahead of ours, and the latest word counts.
      const before = known.get(saveKey(account, target)) as Register | undefined
      const atMs = Math.max(now(), (before?.atMs ?? 0) + 1)
      return pen.sign({ kind: 'save', subject: userSubject(account), content: { target, on, atMs } })
    })
    await pen.send(await Promise.all(drawn))
  }

  async function change(
    account: Address,
    { subject, prev, ...change }: PlaylistChange & { subject: Subject; prev: Hash | null },
  ): Promise<'applied' | 'pending'> {
    const pen = await penOf(account)
    const actions = []
    let last = prev
    for (const content of contentsOf(change)) {
      const action = await pen.sign({ kind: 'playlist', subject, content: { prev: last, ...content } })
      actions.push(action)
      last = action.hash
    }
    return pen.send(actions)
  }

  /** One of the listener's own. */
  async function ownPlaylist(
    id: string,
    account: Address,
  ): Promise<{ row: PlaylistRow; subject: Subject; prev: Hash }> {
    const subject = playlistOf(id)
    const row = await readPlaylist(postgres, subject, now())
    if (row === undefined) throw notFound('playlist', id)
    if (row.author !== account) throw new SubsonicError('notAuthorized', 'this playlist is somebody else’s')
    const state = await readState(postgres, [subjectKey(subject)])
    return { row, subject, prev: (state.get(subjectKey(subject)) as SubjectState).digest }
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
      const add = parameters.list('songId').map(trackOf)
      const name = parameters.text('name')
      const id = parameters.text('playlistId')
      const fields: PlaylistChange['fields'] = name === undefined ? {} : { title: name }
      let subject: Subject
      let outcome: 'applied' | 'pending'
      if (id === undefined) {
        parameters.required('name')
        subject = subjectOf(
          login.account,
          freshNumber((bytes) => randomBytes(bytes.length)),
        )
        outcome = await change(login.account, { subject, prev: null, fields, remove: [], add })
      } else {
        const own = await ownPlaylist(id, login.account)
        subject = own.subject
        outcome = await change(login.account, { ...own, fields, remove: own.row.tracks as Subject[], add })
      }
      // Before version 1.14 of the protocol the answer was empty.
      if (outcome === 'pending' || getPlaylist === undefined) return {}
      const shown = { ...parameters, required: () => playlistId(subject) }
      return getPlaylist({ ...asked, parameters: shown })
    },
    async updatePlaylist({ parameters, login: { account } }) {
      const own = await ownPlaylist(parameters.required('playlistId'), account)
      const [title, description] = [parameters.text('name'), parameters.list('comment')[0]]
      const isPublic = parameters.text('public') === undefined ? undefined : parameters.flag('public', true)
      const fields = {
        ...(title === undefined ? {} : { title }),
        ...(description === undefined ? {} : { description }),
        ...(isPublic === undefined ? {} : { unlisted: !isPublic }),
      }
      const add = parameters.list('songIdToAdd').map(trackOf)
      const places = parameters.list('songIndexToRemove')
      // Places are those of the songs that the player has been shown.
      const songs = places.length === 0 ? [] : await readSongs(postgres, own.row.tracks, now())
      const remove = places.map((place) => {
        const song = /^\d{1,6}$/.test(place) ? songs[Number(place)] : undefined
        if (song === undefined)
          throw new SubsonicError('notFound', `the playlist has no song at place ${place}`)
        return song.id as Subject
      })
      await change(account, { ...own, fields, remove, add })
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

/** Songs and albums that are to be favourites. @throws SubsonicError */
function markedOf(parameters: Parameters): Subject[] {
  if (parameters.list('artistId').length > 0) {
    throw new SubsonicError('generic', "an artist is followed, not saved: type 'hexachord follow'")
  }
  const ids = [...parameters.list('id'), ...parameters.list('albumId')]
  if (ids.length === 0) throw new SubsonicError('missingParameter', "the parameter 'id' is missing")
  if (ids.length > maximumMarks) throw new SubsonicError('generic', `at most ${maximumMarks} at a time`)
  const targets = ids.map((id) => {
    if (!id.startsWith('al-')) return trackOf(id)
    const album = albumOf(id)
    if ('singlesOf' in album) throw new SubsonicError('generic', 'singles are no album: choose its songs')
    return album.playlist
  })
  return [...new Set(targets)]
}

/** The contents of the actions that carry a change out, one after the other; `prev` is theirs to be given. */
function contentsOf({ fields, remove, add }: PlaylistChange): { [name: string]: Json }[] {
  const steps = [
    ...inSteps([...new Set(remove)]).map((tracks) => ({ remove: tracks })),
    ...inSteps([...new Set(add)]).map((tracks) => ({ add: tracks.map((track) => ({ track })) })),
  ]
  const [first = {}, ...others] = steps
  const said = { ...fields, ...first }
  return Object.keys(said).length === 0 ? [] : [said, ...others]
}

function inSteps(tracks: readonly Subject[]): Subject[][] {
  const steps = []
  for (let at = 0; at < tracks.length; at += namesPerAction) steps.push(tracks.slice(at, at + namesPerAction))
  return steps
}

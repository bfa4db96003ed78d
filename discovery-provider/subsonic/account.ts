import { SubsonicError } from './errors.ts'
import { folderId } from './ids.ts'
import type { Methods, SubsonicParts } from './method.ts'

/** What players are told before they ask for music. */
export function accountMethods({ writes }: SubsonicParts): Methods {
  return {
    ping: () => ({}),
    getLicense: () => ({ license: { valid: true } }),
    getMusicFolders: () => ({ musicFolders: { musicFolder: [{ id: folderId, name: 'Hexachord' }] } }),
    tokenInfo: ({ login }) => ({ tokenInfo: { username: login.username } }),
    async getUser({ parameters, login }) {
      const username = parameters.required('username')
      if (![login.username, login.account].includes(username.toLowerCase())) {
        throw new SubsonicError(
          'notAuthorized',
          `you are ${login.username}, and nobody is told of another user`,
        )
      }
      const scopes = (await writes?.scopesOf(login.account)) ?? []
      return {
        user: {
          username: login.username,
          scrobblingEnabled: true,
          adminRole: false,
          settingsRole: false,
          downloadRole: true,
          uploadRole: false,
          playlistRole: scopes.includes('playlist'),
          coverArtRole: false,
          commentRole: false,
          podcastRole: false,
          streamRole: true,
          jukeboxRole: false,
          shareRole: false,
          videoConversionRole: false,
          folder: [folderId],
        },
      }
    },
  }
}

/** What is added to the original protocol here. */
const extensions = [
  { name: 'apiKeyAuthentication', versions: [1] },
  { name: 'formPost', versions: [1] },
]

/** Answered to everybody: a player asks before it knows how to log in. */
export function listExtensions() {
  return { openSubsonicExtensions: extensions }
}

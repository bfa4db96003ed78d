import type { RequestHandler } from 'express'
import type { Logins } from '../app-passwords/index.ts'
import { createAuthenticate } from './authenticate.ts'
import { subsonicHandler } from './handler.ts'
import type { SubsonicParts } from './method.ts'
import { createShelf } from './shelf.ts'

/** The OpenSubsonic API, to be served under `/rest`. */
export function createSubsonic({
  logins,
  serverVersion,
  ...parts
}: Omit<SubsonicParts, 'shelf'> & { logins: Logins; serverVersion: string }): RequestHandler {
  const shelf = createShelf(parts.postgres, parts.now)
  return subsonicHandler({ ...parts, shelf }, { authenticate: createAuthenticate(logins), serverVersion })
}

import { mkdirSync } from 'node:fs'
import { linkPostgresLibraries } from '../local-network/engines/postgres-binaries.ts'
import { checkClock } from './clock.ts'
import { checkDisk } from './disk.ts'
import { checkPlatform } from './platform.ts'
import { installPrograms, type Program } from './programs.ts'

export {
  chromium,
  ffmpeg,
  ffprobe,
  findProgram,
  ip,
  libsecp256k1,
  nft,
  nginx,
  type Program,
  redisServer,
  wrk,
} from './programs.ts'
export { type Claim, claimNetwork, findRunningNetwork, NetworkRunningError } from './running-network.ts'
export { SetupError } from './setup-error.ts'

/**
 * Checks this machine, in the order in which a newcomer would want to hear of it, and installs what is
 * missing and may be installed. Throws SetupError with what to do.
 *
 * @param options.state the folder for our own files; made when it does not exist
 * @param options.programs what has to be on the PATH
 */
export async function prepareMachine(options: {
  state: string
  programs: Program[]
  report(line: string): void
  signal: AbortSignal
}): Promise<void> {
  const { state, programs, report, signal } = options
  checkPlatform()
  mkdirSync(state, { recursive: true })
  await checkDisk(state)
  await checkClock(state)
  await installPrograms(programs, report, signal)
  await linkPostgresLibraries()
}

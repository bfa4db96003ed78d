import type { Peer } from '../debian.ts'
import { bringGoProgram } from '../go-program.ts'

/** Newer ones stand on a fork of a library by a `replace` line, which not every module proxy gives. Needs Go 1.26. */
const version = '0.42.0'

/** Real Kubo, or why it cannot be had here. */
export function bringKubo(): Promise<Peer> {
  return bringGoProgram({
    title: 'a real Kubo',
    module: 'github.com/ipfs/kubo',
    version,
    command: './cmd/ipfs',
  })
}

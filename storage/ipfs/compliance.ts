import { describe } from '@jest/globals'
import { collectingSuite } from './compliance/collecting.ts'
import { enduringSuite } from './compliance/enduring.ts'
import { pinningSuite } from './compliance/pinning.ts'
import { storingSuite } from './compliance/storing.ts'
import type { IpfsNodeFactory } from './compliance/subject.ts'

export type { IpfsNodeFactory, NodeUnderTest } from './compliance/subject.ts'

/**
 * What every backend of `IpfsNode` must do, as Jest tests. Call it at the top of a test file with a way to make
 * nodes of the backend; nothing in it knows what stands behind the interface.
 * @param sequences how many sequences of pins and unpins are tried; fewer where each step waits for a disk
 */
export function ipfsNodeCompliance(
  name: string,
  factory: IpfsNodeFactory,
  { sequences = 25 }: { sequences?: number } = {},
): void {
  describe(`${name} as an IPFS node`, () => {
    storingSuite(factory)
    pinningSuite(factory)
    collectingSuite(factory, sequences)
    enduringSuite(factory)
  })
}

import { statfs } from 'node:fs/promises'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import type { OfferStore } from './offer-store.ts'

/** How much this node can still take. */
export type Room = {
  /** Bytes that may be promised: within the capacity, less what is stored and what offers may yet bring, and never
   * below the free disk that is left alone. Negative when it is overdrawn. */
  freeBytes(): Promise<number>
}

export function createRoom(options: {
  directory: string
  capacityBytes: number
  /** Free disk space that is not touched, so that the database and the system go on working. */
  diskFloorBytes: number
  ipfs: Pick<IpfsNode, 'usage'>
  offers: Pick<OfferStore, 'outstandingBytes'>
}): Room {
  const { directory, capacityBytes, diskFloorBytes, ipfs, offers } = options
  return {
    async freeBytes() {
      const [{ bavail, bsize }, { bytes }] = await Promise.all([statfs(directory), ipfs.usage()])
      const outstanding = offers.outstandingBytes()
      return Math.min(capacityBytes - bytes, bavail * bsize - diskFloorBytes) - outstanding
    },
  }
}

import { statfs } from 'node:fs/promises'
import type { IpfsNode } from '@hexachord/storage/ipfs'
import type { OfferStore } from './offer-store.ts'

/** How much this node can still take. */
export type Room = {
  /** Bytes that may be promised: within the capacity, less what is stored and what offers may yet bring, and never
   * below the free disk that is left alone. Negative when it is overdrawn. */
  freeBytes(): Promise<number>
  /** Whether the disk has less free space than is to be left alone, whoever took it. */
  isBelowFloor(): Promise<boolean>
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

  async function aboveFloorBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize - diskFloorBytes
  }

  return {
    async freeBytes() {
      const [aboveFloor, { bytes }] = await Promise.all([aboveFloorBytes(), ipfs.usage()])
      return Math.min(capacityBytes - bytes, aboveFloor) - offers.outstandingBytes()
    },
    isBelowFloor: async () => (await aboveFloorBytes()) < 0,
  }
}

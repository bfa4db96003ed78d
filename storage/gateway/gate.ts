import type { IncomingMessage } from 'node:http'

/** Somebody asks for a block, with what came to pay for it. */
export type PaidRequest = {
  readonly request: IncomingMessage
  readonly cid: string
  /** Of the URL, as `?s=`. */
  readonly session: string | undefined
  /** Whether only the headers are wanted, which cost nothing. */
  readonly isHead: boolean
}

/** Who asks, and what came to pay with. */
export type Asking = Pick<PaidRequest, 'request' | 'session'>

/** What counts an answer that is sent piece by piece. */
export type Meter = {
  /** Counts bytes that are about to be sent. Resolves when they may be. */
  next(bytes: number): Promise<void>
  /** Called once it was sent, or has broken off. */
  end(): void
}

/** Stands before a gateway's blocks, of which some cost something. */
export type Gate = {
  /** Whether any block may cost something. */
  isInUse(): boolean
  /** Whether a block costs something. To ask this takes no time for those that do not. */
  isPaid(cid: string): boolean
  /**
   * Whether it is worth the while to look for a paid block.
   * @throws Problem 402 for a request that brings nothing to pay with
   */
  requireMeans(asked: PaidRequest): void
  /**
   * Lets a request have a paid block whose bytes are in hand, and charges it. When this resolves, that is on the disk.
   * @param bytes that are about to be sent
   * @returns headers for the answer
   * @throws Problem 402, 403, 400, or 503 when nothing can be written down
   */
  admit(asked: PaidRequest, bytes: number): Promise<Readonly<Record<string, string>>>
  /** Whether a node of the network asks, which pays nothing. */
  isPeer(request: IncomingMessage): boolean
  /** For what is given as a whole. @throws Problem 402 if one of these blocks costs something */
  requireFree(request: IncomingMessage, cids: Iterable<string>): void
  /** Takes from what strangers may have for nothing. @returns false when that is used up, and for whom it may not be meant */
  takeFree(request: IncomingMessage, bytes: number): boolean
  /** The same for those that are told why, and for nodes of the network, which are counted. @throws Problem 429 */
  requireFreeRate(asked: Asking, bytes: number): void
  /**
   * Lets something be sent that goes piece by piece and may end before all of it is: strangers have so many of these at
   * once, and each at a pace.
   * @param isPaid whether there are blocks in it that cost something, which only nodes of the network have as a whole
   * @throws Problem 429
   */
  meter(asked: Asking, isPaid: boolean): Meter
}

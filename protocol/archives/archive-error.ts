/** An archive, or a part of one, that is not what it says, or that the chain does not bear out. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError'
}

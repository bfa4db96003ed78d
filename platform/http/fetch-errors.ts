/** A guarded fetch did not happen or did not finish. The subclasses say why; this class itself is a network failure. */
export class FetchFailed extends Error {
  override readonly name: string = 'FetchFailed'
}

/** The address, scheme or redirect is not allowed. Nothing was sent there. */
export class FetchBlocked extends FetchFailed {
  override readonly name = 'FetchBlocked'
}

/** The answer was not complete in time. */
export class FetchTimeout extends FetchFailed {
  override readonly name = 'FetchTimeout'
}

/** The answer is larger than the caller allows. */
export class FetchTooLarge extends FetchFailed {
  override readonly name = 'FetchTooLarge'
}

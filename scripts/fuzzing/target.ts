/** What a parser is given: bytes, or text as it stands in a header, a URL, an answer or a file. */
export type Input = Uint8Array | string

/** A parser under test. */
export type Target = {
  /** Package and what is read there, as it is typed. */
  readonly name: string
  /** Inputs that it takes without complaint; mutations begin with them. */
  readonly seeds: readonly Input[]
  /** Reads an input of the seeds' type and checks what must hold of the result, such as that it is written alike. */
  readonly read: (input: Input) => unknown
  /** Whether an error is how this parser refuses what it cannot read. Every other error is a bug. */
  readonly refuses: (error: unknown) => boolean
  /** Cases of a short run, where one takes long. @default 300 */
  readonly shortRun?: number
}

type Common = Pick<Target, 'name' | 'refuses' | 'shortRun'>

export function bytesTarget(
  target: Common & { seeds: readonly Uint8Array[]; read: (bytes: Uint8Array) => unknown },
): Target {
  return {
    ...target,
    read(input) {
      if (typeof input === 'string') throw new TypeError(`${target.name} reads bytes`)
      return target.read(input)
    },
  }
}

export function textTarget(
  target: Common & { seeds: readonly string[]; read: (text: string) => unknown },
): Target {
  return {
    ...target,
    read(input) {
      if (typeof input !== 'string') throw new TypeError(`${target.name} reads text`)
      return target.read(input)
    },
  }
}

/** Refusals by errors of these names: what callers catch. */
export function named(...names: readonly string[]): Target['refuses'] {
  return (error) => error instanceof Error && names.includes(error.name)
}

/** Refusals by problem details of these statuses: what callers of an API are told. */
export function problems(...statuses: readonly number[]): Target['refuses'] {
  return (error) =>
    error instanceof Error &&
    error.name === 'Problem' &&
    'status' in error &&
    statuses.includes(Number(error.status))
}

/** For what must answer something to whatever it is given. */
export const never: Target['refuses'] = () => false

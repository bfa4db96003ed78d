import { ApiError, type Connection, NoProvider } from '../connect/index.ts'

/** Asks one provider after the other, best first, until one knows what it is asked for. Those that are away are not passed
 * over: one that makes something may have made it.
 * @throws ApiError of the first that fails, 404 when none knows it; NoProvider when there is none */
export async function atFirstThatKnows<T>(
  { providers }: Connection,
  ask: (server: string) => Promise<T>,
): Promise<T> {
  let unknown: unknown = new NoProvider('no discovery provider is known')
  for (const { origin } of providers) {
    try {
      return await ask(origin)
    } catch (error) {
      if (!isUnknown(error)) throw error
      unknown = error
    }
  }
  throw unknown
}

export function isUnknown(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404
}

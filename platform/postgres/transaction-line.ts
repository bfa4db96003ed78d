import { type Postgres, type PostgresClient, rollBack, type Statements } from './open-postgres.ts'
import { together } from './together.ts'

/** Transactions on one connection, one after the other. */
export type TransactionLine = {
  /**
   * Adds a transaction, whose statements are made now and sent as soon as the one before it is done: behind its COMMIT,
   * whose answer is not waited for, so that the server is never without work. When one fails, those behind it are not
   * sent and fail with its error.
   * @returns when it is committed
   */
  add(
    work: (statements: Statements) => Promise<unknown>,
    options?: {
      /** As of `Postgres.transaction`. @default true */
      durable?: boolean
    },
  ): Promise<void>
}

/** A line that borrows a connection for as long as there is something to do. */
export function createTransactionLine(postgres: Pick<Postgres, 'withClient'>): TransactionLine {
  let waiting = 0
  let loan: Loan | undefined
  let ahead = Promise.resolve()

  async function run(loan: Loan, draft: Draft, before: Promise<void>, begin: string, letNext: () => void) {
    const client = await loan.client
    await before
    const begun = client.query(begin)
    const sent = draft.send(client)
    try {
      await together([begun, sent])
    } catch (error) {
      await rollBack(client, error).catch(loan.spoil)
      throw error
    }
    const committed = client.query('COMMIT')
    letNext()
    await committed
  }

  /** Not given what the draft was made of, so that this need not stay in memory until it is written. */
  async function queue(draft: Draft, durable: boolean): Promise<void> {
    const { promise: isLetNext, resolve: letNext, reject: stopNext } = Promise.withResolvers<void>()
    // Nobody may come next.
    isLetNext.catch(() => undefined)
    const before = ahead
    ahead = isLetNext
    waiting += 1
    loan ??= borrow(postgres)
    const begin = durable ? 'BEGIN' : 'BEGIN; SET LOCAL synchronous_commit = off'
    try {
      await run(loan, draft, before, begin, letNext)
    } catch (error) {
      stopNext(error)
      throw error
    } finally {
      waiting -= 1
      if (waiting === 0) {
        loan.giveBack()
        loan = undefined
        ahead = Promise.resolve()
      }
    }
  }

  return { add: (work, { durable = true } = {}) => queue(createDraft(work), durable) }
}

type Loan = {
  readonly client: Promise<PostgresClient>
  /** Whose transaction nobody knows to have ended: it is thrown away in the end. */
  spoil(reason: unknown): void
  giveBack(): void
}

function borrow(postgres: Pick<Postgres, 'withClient'>): Loan {
  const { promise: client, resolve, reject } = Promise.withResolvers<PostgresClient>()
  const ending = Promise.withResolvers<void>()
  const lend = async (client: PostgresClient) => {
    resolve(client)
    await ending.promise
  }
  postgres.withClient(lend).catch(reject)
  return { client, spoil: ending.reject, giveBack: ending.resolve }
}

type Draft = { send(client: PostgresClient): Promise<unknown> }

/** Has statements made now, and keeps them until there is somebody to send them to. */
function createDraft(work: (statements: Statements) => Promise<unknown>): Draft {
  let kept: ((client: PostgresClient) => void)[] = []
  let sentTo: PostgresClient | undefined

  function query(...statement: unknown[]): Promise<unknown> {
    // Its types are those of many ways to ask, all of which come through unchanged.
    const ask = (client: PostgresClient) =>
      (client.query as (...statement: unknown[]) => unknown).apply(client, statement)
    if (sentTo !== undefined) return Promise.resolve(ask(sentTo))
    return new Promise((resolve, reject) => {
      kept.push((client) => Promise.resolve(ask(client)).then(resolve, reject))
    })
  }

  const done = work({ query: query as PostgresClient['query'] })
  // It is awaited once it is sent, which may never be.
  done.catch(() => undefined)
  return {
    send(client) {
      sentTo = client
      for (const ask of kept) ask(client)
      kept = []
      return done
    },
  }
}

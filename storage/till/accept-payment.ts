import type { SentVoucher } from '@hexachord/protocol/payments'
import { SignatureError } from '@hexachord/protocol/signing'
import { type Book, type Session, VoucherRefused } from './book/index.ts'
import type { Journal } from './journal/index.ts'
import type { VoucherSigners } from './signatures/index.ts'

/**
 * Takes a voucher into the book, once its signer is found. It is durable when the journal says so.
 * @returns a function that throws VoucherRefused, and JournalFull and what `requireOpen` throws before anything is done
 */
export function createAccept({
  book,
  journal,
  signers,
  requireOpen,
}: {
  book: Book
  journal: Journal
  signers: VoucherSigners
  /** Throws while this till takes no money. */
  requireOpen: () => Promise<void>
}): (session: Session, voucher: SentVoucher) => Promise<void> {
  return async (session, voucher) => {
    journal.requireRoom()
    // What is refused or known anyway is not worth the time.
    if (!book.isNews(session, voucher)) return book.accept(session, voucher, undefined)
    await requireOpen()
    book.accept(session, voucher, await signers.signerOf(voucher).catch(refused))
  }
}

function refused(cause: unknown): never {
  if (!(cause instanceof SignatureError)) throw cause
  throw new VoucherRefused('ECDSAInvalidSignature', cause.message, { cause })
}

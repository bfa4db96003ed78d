/** What is offered cannot be held, however often it is tried; the message tells the asking operator why. */
export class PullRefused extends Error {
  override readonly name = 'PullRefused'
}

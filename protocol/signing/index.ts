export {
  type Domain,
  digestOf,
  domainOf,
  type MessageName,
  type Messages,
  messageTypes,
  SignatureError,
  type Signer,
  signerOf,
  signMessage,
} from './typed-data.ts'

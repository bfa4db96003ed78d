export {
  digestOf,
  domainOf,
  type Domain,
  type MessageName,
  type Messages,
  messageTypes,
  type Signer,
  SignatureError,
  signMessage,
  signerOf,
} from './typed-data.ts'

import { hasCode } from './error-code.ts'

const codes = [
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]

/** The certificate problem with its remedy; undefined for other errors. */
export function certificateRefusal(error: unknown, server: string): string | undefined {
  if (!(error instanceof Error)) return undefined
  if (!hasCode(error, ...codes)) return certificateRefusal(error.cause, server)
  return `the certificate of ${server} is not trusted (${error.message}): set NODE_EXTRA_CA_CERTS to the file of its authority`
}

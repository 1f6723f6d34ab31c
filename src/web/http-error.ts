/** The error that Fastify answers with this status and sentence. */
export const httpError = (statusCode: number, message: string): Error =>
  Object.assign(new Error(message), { statusCode })

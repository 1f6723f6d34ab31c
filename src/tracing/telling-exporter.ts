import type { SpanExporter } from '@opentelemetry/sdk-trace-base'

type ExportResult = Parameters<Parameters<SpanExporter['export']>[1]>[0]

const success: ExportResult = { code: 0 }

/** Reports the first failure and the recovery. */
export function tellingExporter(
  exporter: SpanExporter,
  annotate: (failure: Error | undefined) => void,
): SpanExporter {
  let isFailing = false
  return {
    export: (spans, done) =>
      exporter.export(spans, ({ error }) => {
        if ((error !== undefined) !== isFailing) annotate(error)
        isFailing = error !== undefined
        done(success)
      }),
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  }
}

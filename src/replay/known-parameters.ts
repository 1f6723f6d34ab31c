/** Throws for unknown, empty or repeated parameters, which real exchanges would ignore. */
export function refuseOtherParameters(
  query: URLSearchParams,
  known: readonly string[],
  refusal: (name: string, value: string) => Error,
): void {
  for (const [name, value] of query)
    if (!known.includes(name) || value === '' || query.getAll(name).length > 1) throw refusal(name, value)
}

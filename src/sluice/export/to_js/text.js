const SPECIAL = 3; // ids of padding, start and end come before those of the tokens

/** The ids of a text. */
export function encode(text) {
  const ids = new Map(tokens.map((token, place) => [token, place + SPECIAL]));
  return split(text).map((token) => {
    const id = ids.get(token);
    if (id === undefined) throw new RangeError(`the model does not know ${JSON.stringify(token)}`);
    return id;
  });
}

/** The text of ids. */
export const decode = (ids) =>
  ids.filter((id) => id >= SPECIAL).map((id) => tokens[id - SPECIAL]).join(separator);

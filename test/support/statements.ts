/**
 * Reads from the sources which statements they send and which rows they claim to get. TypeScript 7 has
 * its checker under `unstable` only; its version here is exact.
 */
import { relative } from "node:path";
import { SymbolFlags, type Project, type Symbol, type Type } from "typescript/unstable/sync";
import {
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isFunctionDeclaration,
  isIdentifier,
  isNoSubstitutionTemplateLiteral,
  isParameterDeclaration,
  isPropertyAccessExpression,
  isStringLiteral,
  isTemplateExpression,
  isVariableDeclaration,
  SyntaxKind,
  type CallExpression,
  type Expression,
  type Identifier,
  type Node,
} from "typescript/unstable/ast";
import { ClaimReader, type Claim } from "./row-claims.ts";

export type Statement = {
  /** File and line of the call, and of the call that gave the text, if that is another one. */
  readonly place: string;
  readonly text: string;
  /** Null: nothing is said of its rows. */
  readonly claim: Claim | null;
  /** It is sent by the bare driver, which reads some types otherwise than our pools. */
  readonly is_bare: boolean;
};

export type Statements = {
  readonly readable: readonly Statement[];
  /** Places of calls that say what their rows are, but whose text only the running program knows. */
  readonly unreadable: readonly string[];
};

type Text = { readonly text: string; readonly from?: string };

/** The statements in some files of a project; `folder`: what their names are shown relative to. */
export function findStatements(
  project: Project,
  folder: string,
  isWanted: (file: string) => boolean,
): Statements {
  const files = project.program
    .getSourceFileNames()
    .filter((name) => isWanted(relative(folder, name)))
    .map((name) => project.program.getSourceFile(name))
    .filter((file) => file !== undefined);
  const reader = new TextReader(project, folder, files.flatMap(callsIn));
  const claims = new ClaimReader(project.checker);
  const readable: Statement[] = [];
  const unreadable: string[] = [];
  for (const call of reader.calls) {
    const [text] = call.arguments;
    if (text === undefined || !isPropertyAccessExpression(call.expression)) continue;
    if (call.expression.name.text !== "query") continue;
    const row = findRow(project, call);
    if (row === undefined) continue;
    const claim = claims.claimOf(row.type);
    const texts = reader.textsOf(text);
    const place = placeOf(call, folder);
    if (texts === undefined && claim !== null) unreadable.push(place);
    for (const { text: readText, from } of texts ?? []) {
      const fullPlace = from === undefined ? place : `${place}, for ${from}`;
      readable.push({ place: fullPlace, text: readText, claim, is_bare: row.is_bare });
    }
  }
  return { readable, unreadable };
}

/** What the rows of a call are said to be; undefined where a function passes on what its own caller says. */
function findRow({ checker }: Project, call: CallExpression): { type: Type; is_bare: boolean } | undefined {
  const signature = checker.getResolvedSignature(call);
  const promise = signature && checker.getReturnTypeOfSignature(signature);
  const answer = promise?.isTypeReference() === true ? checker.getTypeArguments(promise)[0] : undefined;
  if (answer === undefined) return undefined;
  const rows = checker.getPropertyOfType(answer, "rows");
  const list = rows === undefined ? answer : checker.getTypeOfSymbol(rows);
  const type = list?.isTypeReference() === true ? checker.getTypeArguments(list)[0] : undefined;
  if (type === undefined || type.isTypeParameter()) return undefined;
  return { type, is_bare: rows !== undefined };
}

/** Works out what a text can be from literals, constants and the arguments of all calls of a function. */
class TextReader {
  readonly calls: readonly CallExpression[];
  readonly #checker: Project["checker"];
  readonly #folder: string;

  constructor(project: Project, folder: string, calls: readonly CallExpression[]) {
    this.#checker = project.checker;
    this.#folder = folder;
    this.calls = calls;
  }

  /** All that it can be; undefined if that cannot be told. */
  textsOf(expression: Expression): readonly Text[] | undefined {
    if (isStringLiteral(expression) || isNoSubstitutionTemplateLiteral(expression))
      return [{ text: expression.text }];
    if (expression.kind === SyntaxKind.NumericLiteral) return [{ text: expression.getText() }];
    if (isTemplateExpression(expression)) {
      const { head, templateSpans } = expression;
      return templateSpans.reduce<readonly Text[] | undefined>(
        (texts, span) => joined(joined(texts, this.textsOf(span.expression)), [{ text: span.literal.text }]),
        [{ text: head.text }],
      );
    }
    if (isBinaryExpression(expression) && expression.operatorToken.kind === SyntaxKind.PlusToken)
      return joined(this.textsOf(expression.left), this.textsOf(expression.right));
    if (isConditionalExpression(expression)) {
      const [one, other] = [this.textsOf(expression.whenTrue), this.textsOf(expression.whenFalse)];
      return one && other && [...one, ...other];
    }
    return isIdentifier(expression) ? this.#valuesOf(expression) : undefined;
  }

  #valuesOf(name: Node): readonly Text[] | undefined {
    const declaration = this.#symbolOf(name)?.valueDeclaration?.resolve();
    if (declaration === undefined) return undefined;
    if (isVariableDeclaration(declaration))
      return declaration.initializer && this.textsOf(declaration.initializer);
    if (!isParameterDeclaration(declaration) || !isFunctionDeclaration(declaration.parent)) return undefined;
    const { parameters, name: functionName } = declaration.parent;
    const index = parameters.indexOf(declaration);
    const values = (functionName === undefined ? [] : this.#callsOf(functionName)).map((call) => {
      const argument = call.arguments[index];
      const from = placeOf(call, this.#folder);
      return argument && this.textsOf(argument)?.map(({ text }) => ({ text, from }));
    });
    return values.length === 0 || values.includes(undefined)
      ? undefined
      : values.flatMap((texts) => texts ?? []);
  }

  #callsOf(functionName: Identifier): CallExpression[] {
    const id = this.#symbolOf(functionName)?.id;
    return this.calls.filter(
      ({ expression }) =>
        isIdentifier(expression) &&
        expression.text === functionName.text &&
        this.#symbolOf(expression)?.id === id,
    );
  }

  /** What a name stands for, through imports. */
  #symbolOf(name: Node): Symbol | undefined {
    const symbol = this.#checker.getSymbolAtLocation(name);
    return symbol !== undefined && (symbol.flags & SymbolFlags.Alias) !== 0
      ? this.#checker.getAliasedSymbol(symbol)
      : symbol;
  }
}

function joined(
  left: readonly Text[] | undefined,
  right: readonly Text[] | undefined,
): readonly Text[] | undefined {
  return (
    right &&
    left?.flatMap((one) => right.map((other) => ({ ...one, ...other, text: `${one.text}${other.text}` })))
  );
}

function callsIn(node: Node): CallExpression[] {
  const calls = isCallExpression(node) ? [node] : [];
  node.forEachChild((child) => {
    calls.push(...callsIn(child));
  });
  return calls;
}

function placeOf(node: Node, folder: string): string {
  const file = node.getSourceFile();
  return `${relative(folder, file.fileName)}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

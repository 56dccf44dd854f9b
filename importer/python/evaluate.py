"""Evaluates the statements and expressions of a DAG file as far as they are constant."""

import ast
import datetime
import operator
import re

import library
import values as v
from files import Files

# What a statement of a function or loop does to those around it.


class Return(Exception):
    def __init__(self, value):
        super().__init__()
        self.value = value


class Break(Exception):
    pass


class Continue(Exception):
    pass


CONTROL = (v.Stop, Return, Break, Continue, RecursionError, MemoryError)
MAX_CALLS = 60  # calls within calls
MAX_MADE = 5000  # DAGs, groups and tasks of one file
MAX_EDGES = 50_000

BINARY = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.BitOr: operator.or_, ast.BitAnd: operator.and_, ast.BitXor: operator.xor,
}
COMPARE = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
    ast.Is: lambda a, b: a is b or a == b, ast.IsNot: lambda a, b: not (a is b or a == b),
}
UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_, ast.Invert: operator.invert}


class Reader:
    """Reads one file. dags, groups, tasks and edges are what it would make."""

    def __init__(self, file, roots):
        self.file, self.line = file, 0
        self.files = Files(file, roots)
        self.budget = v.Budget()
        self.dags, self.groups, self.tasks, self.edges = [], [], [], []
        self.notes, self.marks = [], {}
        self.open_dags, self.open_groups = [], []
        self.modules = {}
        self.loading = 0  # modules beside the file that are being read
        self.calls = 0

    def read(self):
        tree = self.parse(self.file)
        if tree is not None:
            scope = v.Scope(self.file)
            scope.names.update(__name__="dag_file", __file__=self.file, __doc__=ast.get_docstring(tree, clean=False))
            self.run(tree.body, scope)

    def parse(self, file):
        try:
            return ast.parse(self.files.source(file), file)
        except SyntaxError as e:
            self.notes.append({"at": [file, e.lineno or 0], "kind": "left", "what": "not Python 3: %s" % e.msg, "of": ""})
        except ValueError as e:
            self.notes.append({"at": [file, 0], "kind": "left", "what": "not Python 3: %s" % e, "of": ""})
        return None

    # Notes and what is not known.

    def say(self, at, kind, what, of=""):
        note = {"at": at, "kind": kind, "what": what, "of": of}
        if note not in self.notes and len(self.notes) < 1000:
            self.notes.append(note)

    def at(self, node, scope):
        return [scope.file, getattr(node, "lineno", 0)]

    def places(self, node, scope):
        """Where a call stands, and each of its named arguments."""
        return self.at(node, scope) + [{k.arg: k.value.lineno for k in getattr(node, "keywords", []) if k.arg}]

    def source(self, node):
        try:
            text = ast.unparse(node)
        except (RecursionError, ValueError):
            text = "an expression"
        return " ".join(text.split())[:120]

    def unknown(self, node, scope, why=""):
        return v.Unknown(self.source(node), self.at(node, scope), why)

    def mark(self, name, at, what):
        """A text that stands for what a person must fill in."""
        mark = v.mark_of(name)
        self.marks.setdefault(mark, (at, what))
        return mark

    def text(self, value):
        """What str() gives, with a mark for what is not known."""
        if isinstance(value, v.Unknown):
            return self.mark(value.source, value.at, value.source)
        if isinstance(value, v.Relative):
            return self.mark(value.source, value.at, value.source)
        if isinstance(value, v.Moment):
            return str(value.wall)
        if isinstance(value, v.Zone):
            return value.name
        if isinstance(value, v.Instance) and "value" in value.names:
            return self.text(value.names["value"])
        if not v.is_plain(value):
            raise TypeError
        text = str(value)
        self.budget.check(len(text), v.MAX_TEXT)
        return text

    # Statements.

    def run(self, body, scope):
        for node in body:
            self.budget.step()
            if scope.file == self.file:
                self.line = node.lineno
            method = getattr(self, "do_" + type(node).__name__, None)
            if method is None:
                self.left(node, scope, "this statement is not read")
                continue
            method(node, scope)

    def left(self, node, scope, what):
        if not self.loading:
            self.say(self.at(node, scope), "left", what)

    def do_Pass(self, node, scope):
        pass

    do_Assert = do_Raise = do_Delete = do_Nonlocal = do_Pass

    def do_Global(self, node, scope):
        scope.outer.update(node.names)

    def do_Expr(self, node, scope):
        value = self.eval(node.value, scope)
        if not isinstance(value, v.Unknown) or not isinstance(node.value, ast.Call):
            return
        if self.open_dags or self.mentions_dag(node.value, scope):
            if not self.source(node.value.func).startswith(("log", "print", "warnings.", "sys.", "self.log")):
                self.left(node, scope, "%s: what this call does is not known here; if it makes tasks, "
                          "write them out" % self.source(node.value))

    def mentions_dag(self, call, scope):
        given = list(call.args) + [k.value for k in call.keywords]
        return any(isinstance(a, ast.Name) and isinstance(scope.find(a.id), (v.Dag, v.Task)) for a in given)

    def do_Import(self, node, scope):
        for name in node.names:
            whole = self.load(name.name, 0, scope)
            if name.asname:
                scope.bind(name.asname, whole or v.Ref(name.name))
            else:
                scope.bind(name.name.split(".")[0], v.Ref(name.name.split(".")[0]))
                if whole and "." not in name.name:
                    scope.bind(name.name, whole)

    def do_ImportFrom(self, node, scope):
        module = self.load(node.module or "", node.level, scope)
        for name in node.names:
            if name.name == "*":
                if module:
                    for key, value in module.scope.names.items():
                        if not key.startswith("_"):
                            scope.bind(key, value)
                continue
            scope.bind(name.asname or name.name, self.imported(node, name.name, module, scope))

    def imported(self, node, name, module, scope):
        if module and name in module.scope.names:
            return module.scope.names[name]
        below = self.load(((node.module or "") + "." + name).lstrip("."), node.level, scope)
        if below:
            return below
        if module:
            return v.Unknown(name, self.at(node, scope), "the module has no such name")
        return v.Ref("." * node.level + (node.module or "") + "." + name)

    def load(self, dotted, level, scope):
        """A module that stands beside the file; None for any other."""
        path = self.files.find(dotted, level, scope.file)
        if path is None:
            return None
        if path not in self.modules:
            module = self.modules[path] = v.Module(v.Scope(path))
            module.scope.names.update(__name__=dotted, __file__=path)
            tree = self.parse(path)
            made = len(self.dags), len(self.tasks), len(self.groups), len(self.edges)
            self.loading += 1
            try:
                self.run(tree.body if tree else [], module.scope)
            finally:
                self.loading -= 1
            for dag in self.dags[made[0]:]:
                dag.kept = False
        return self.modules[path]

    def do_Assign(self, node, scope):
        value = self.eval(node.value, scope)
        for target in node.targets:
            self.assign(target, value, scope)

    def do_AnnAssign(self, node, scope):
        if node.value is not None:
            self.assign(node.target, self.eval(node.value, scope), scope)

    def do_AugAssign(self, node, scope):
        load = ast.copy_location(ast.BinOp(left=as_load(node.target), op=node.op, right=node.value), node)
        self.assign(node.target, self.eval(load, scope), scope)

    def assign(self, target, value, scope):
        if isinstance(target, ast.Name):
            scope.bind(target.id, value)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value, scope)
        elif isinstance(target, (ast.Tuple, ast.List)):
            self.unpack(target, value, scope)
        elif isinstance(target, ast.Attribute):
            self.set_attribute(self.eval(target.value, scope), target.attr, value)
        elif isinstance(target, ast.Subscript):
            base, key = self.eval(target.value, scope), self.eval(target.slice, scope)
            if isinstance(base, (dict, list)) and is_key(key):
                try:
                    base[key] = value
                    self.budget.charge(base)
                except (IndexError, TypeError):
                    pass

    def unpack(self, target, value, scope):
        names, items = target.elts, self.items(value)
        star = next((i for i, n in enumerate(names) if isinstance(n, ast.Starred)), None)
        if items is not None and star is not None and len(items) >= len(names) - 1:
            after = len(names) - star - 1
            middle = items[star:len(items) - after]
            items = items[:star] + [middle] + items[len(items) - after:]
        if items is None or len(items) != len(names):
            items = [self.unknown(target, scope)] * len(names)
        for name, item in zip(names, items):
            self.assign(name, item, scope)

    def set_attribute(self, base, name, value):
        if isinstance(base, (v.Dag, v.Task, v.Group, v.Call)):
            base.kwargs[name] = value
        elif isinstance(base, (v.Instance, v.Class)):
            base.names[name] = value

    def do_If(self, node, scope):
        holds = self.truth(self.eval(node.test, scope))
        if holds is None:
            self.left(node, scope, "if %s: the condition is not known here; it was taken to hold" % self.source(node.test))
        self.run(node.orelse if holds is False else node.body, scope)

    def truth(self, value):
        """True, False, or None where it is not known."""
        if isinstance(value, v.Unknown) or isinstance(value, str) and v.MARK in value:
            return None
        return bool(value) if v.is_plain(value) else True

    def do_For(self, node, scope):
        items = self.items(self.eval(node.iter, scope))
        if items is None:
            self.left(node, scope, "for … in %s: what the loop runs over is not known here; its tasks are left out"
                      % self.source(node.iter))
            return
        for item in items:
            self.budget.step()
            self.assign(node.target, item, scope)
            try:
                self.run(node.body, scope)
            except Break:
                return
            except Continue:
                continue
        self.run(node.orelse, scope)

    def do_While(self, node, scope):
        while True:
            holds = self.truth(self.eval(node.test, scope))
            if holds is None:
                self.left(node, scope, "while %s: the condition is not known here; the loop is left out"
                          % self.source(node.test))
            if not holds:
                return
            try:
                self.run(node.body, scope)
            except Break:
                return
            except Continue:
                continue

    def do_Break(self, node, scope):
        raise Break

    def do_Continue(self, node, scope):
        raise Continue

    def do_Return(self, node, scope):
        raise Return(None if node.value is None else self.eval(node.value, scope))

    def do_Try(self, node, scope):
        self.run(node.body, scope)
        self.run(node.orelse, scope)
        self.run(node.finalbody, scope)

    def do_With(self, node, scope):
        opened = []
        for item in node.items:
            value = self.eval(item.context_expr, scope)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value, scope)
            stack = self.open_dags if isinstance(value, v.Dag) else self.open_groups if isinstance(value, v.Group) else None
            if stack is not None:
                stack.append(value)
                opened.append(stack)
        try:
            self.run(node.body, scope)
        finally:
            for stack in opened:
                stack.pop()

    def do_FunctionDef(self, node, scope):
        function = v.Function(node, scope, "", {}, None)
        for decorator in node.decorator_list:
            library.decorate(self, function, decorator, scope)
        scope.bind(node.name, function)

    def do_AsyncFunctionDef(self, node, scope):
        scope.bind(node.name, self.unknown(node, scope))

    def do_ClassDef(self, node, scope):
        inner = v.Scope(scope.file, scope)
        bases = [self.eval(b, scope) for b in node.bases]
        made = v.Class(node.name, bases, inner.names, node)
        self.run(node.body, inner)
        for value in inner.names.values():
            if isinstance(value, v.Function):
                value.scope = scope
        if any(isinstance(b, v.Ref) and b.path.startswith("enum.") for b in bases):
            for name, value in list(inner.names.items()):
                if v.is_plain(value) and not name.startswith("_"):
                    inner.names[name] = v.Instance(made, {"value": value, "name": name})
        scope.bind(node.name, made)

    # Expressions.

    def eval(self, node, scope):
        self.budget.step()
        method = getattr(self, "of_" + type(node).__name__, None)
        if method is None:
            return self.unknown(node, scope)
        try:
            return self.budget.charge(method(node, scope))
        except CONTROL:
            raise
        except Exception:  # what Python would refuse, too
            return self.unknown(node, scope)

    def of_Constant(self, node, scope):
        if isinstance(node.value, (bytes, complex)) or node.value is Ellipsis:
            return self.unknown(node, scope)
        return node.value

    def of_Name(self, node, scope):
        if scope.has(node.id):
            return scope.find(node.id)
        if node.id in library.BUILTINS_KNOWN:
            return v.Ref("builtins." + node.id)
        return self.unknown(node, scope, "there is no such name in the file")

    def of_NamedExpr(self, node, scope):
        value = self.eval(node.value, scope)
        self.assign(node.target, value, scope)
        return value

    def of_JoinedStr(self, node, scope):
        return self.join([self.eval(p, scope) for p in node.values])

    def join(self, texts):
        self.budget.check(sum(map(len, texts)), v.MAX_TEXT)
        return "".join(texts)

    def of_FormattedValue(self, node, scope):
        value = self.eval(node.value, scope)
        spec = self.eval(node.format_spec, scope) if node.format_spec else ""
        if node.conversion == ord("r") and v.is_plain(value):
            value = repr(value)
        return self.format(value, spec)

    def format(self, value, spec):
        if re.search(r"\d{4}", spec):
            raise v.Stop("a format of the file is wider than 999 characters")
        if isinstance(value, v.Moment):
            value = value.wall
        if not spec or not (v.is_plain(value) or isinstance(value, datetime.datetime)):
            return self.text(value) if not isinstance(value, datetime.datetime) else str(value)
        return format(value, spec)

    def of_List(self, node, scope):
        return self.elements(node.elts, scope)

    def of_Tuple(self, node, scope):
        return tuple(self.elements(node.elts, scope))

    def of_Set(self, node, scope):
        items = self.elements(node.elts, scope)
        return set(items) if all(map(is_key, items)) else items

    def elements(self, nodes, scope):
        found = []
        for node in nodes:
            if not isinstance(node, ast.Starred):
                found.append(self.eval(node, scope))
                continue
            items = self.items(self.eval(node.value, scope))
            found += [self.unknown(node, scope)] if items is None else items
        return found

    def of_Dict(self, node, scope):
        made = {}
        for key, value in zip(node.keys, node.values):
            value = self.eval(value, scope)
            if key is not None:
                name = self.eval(key, scope)
                made[name if is_key(name) else self.text(name)] = value
            elif isinstance(value, dict):
                made.update(value)
            else:
                self.left(node, scope, "**%s is not known here and is left out" % self.source(node.values[0]))
        return made

    def of_IfExp(self, node, scope):
        holds = self.truth(self.eval(node.test, scope))
        if holds is None:
            self.left(node, scope, "%s: the condition is not known here; it was taken to hold" % self.source(node))
        return self.eval(node.orelse if holds is False else node.body, scope)

    def of_BoolOp(self, node, scope):
        wanted = isinstance(node.op, ast.Or)
        value = None
        for part in node.values:
            value = self.eval(part, scope)
            holds = self.truth(value)
            if holds is None:
                return self.unknown(node, scope) if not isinstance(value, str) else value
            if holds == wanted:
                return value
        return value

    def of_UnaryOp(self, node, scope):
        value = self.eval(node.operand, scope)
        if isinstance(node.op, ast.Not):
            holds = self.truth(value)
            return self.unknown(node, scope) if holds is None else not holds
        return UNARY[type(node.op)](value)

    def of_Compare(self, node, scope):
        left = self.eval(node.left, scope)
        for op, right in zip(node.ops, node.comparators):
            right = self.eval(right, scope)
            if not (v.is_known(left) and v.is_known(right)):
                return self.unknown(node, scope)
            if not COMPARE[type(op)](comparable(left), comparable(right)):
                return False
            left = right
        return True

    def of_BinOp(self, node, scope):
        left, right = self.eval(node.left, scope), self.eval(node.right, scope)
        if isinstance(node.op, (ast.RShift, ast.LShift)) and library.is_node(left, right):
            first, second = (left, right) if isinstance(node.op, ast.RShift) else (right, left)
            self.connect(first, second, self.at(node, scope))
            return left if library.is_label(right) else right
        if isinstance(node.op, ast.Add) and isinstance(left, str) != isinstance(right, str):
            left, right = self.text(left), self.text(right)
        if isinstance(node.op, ast.Mod) and isinstance(left, str):
            return library.percent(self, left, right)
        moved = library.move(left, right, type(node.op), self.source(node))
        if moved is not None:
            return moved
        library.check_operands(self, node.op, left, right)
        return BINARY[type(node.op)](left, right)

    def connect(self, first, second, at):
        """Adds dependencies: every task or group of second waits for those of first."""
        for a in library.nodes(self, first):
            for b in library.nodes(self, second):
                if len(self.edges) >= MAX_EDGES:
                    raise v.Stop("the file has more than %d dependencies" % MAX_EDGES)
                self.edges.append((a, b))

    def of_Subscript(self, node, scope):
        base = self.eval(node.value, scope)
        if isinstance(node.slice, ast.Slice):
            parts = [n and self.eval(n, scope) for n in (node.slice.lower, node.slice.upper, node.slice.step)]
            return base[slice(*parts)] if isinstance(base, (str, list, tuple, range)) else self.unknown(node, scope)
        key = self.eval(node.slice, scope)
        if isinstance(base, v.Ref) and base.path == "os.environ":
            return library.environment(self, [key], {}, node, scope)
        if isinstance(base, v.Task):  # an element of what a task returns
            return base
        if isinstance(base, v.Class) and isinstance(key, str):
            return self.attribute(base, key, node, scope)
        if isinstance(base, (str, list, tuple, dict, range)) and is_key(key):
            return base[key]
        return self.unknown(node, scope)

    def of_Attribute(self, node, scope):
        return self.attribute(self.eval(node.value, scope), node.attr, node, scope)

    def attribute(self, base, name, node, scope):
        if isinstance(base, v.Ref):
            whole = base.path + "." + name
            return self.load(whole, 0, scope) or v.Ref(whole)
        if isinstance(base, v.Module) and name in base.scope.names:
            return base.scope.names[name]
        if isinstance(base, v.Instance) and name in base.names:
            return base.names[name]
        if isinstance(base, (v.Class, v.Instance)):
            return self.member(base, name, node, scope)
        if isinstance(base, (v.Dag, v.Task, v.Group, v.Call)):
            return library.part(base, name) if library.part(base, name) is not None else self.unknown(node, scope)
        if isinstance(base, v.Moment) and name in ("year", "month", "day", "hour", "minute", "second"):
            return getattr(base.wall, name)
        if isinstance(base, datetime.timedelta) and name in ("days", "seconds", "microseconds"):
            return getattr(base, name)
        return self.unknown(node, scope)

    def member(self, base, name, node, scope):
        """Looks a name up in a class and those that it is made from."""
        owner = base if isinstance(base, v.Instance) else None
        classes = [base.of if owner else base]
        for _ in range(100):
            if not classes:
                break
            of = classes.pop(0)
            if not isinstance(of, v.Class):
                continue
            if name in of.names:
                found = of.names[name]
                if isinstance(found, v.Function) and owner:
                    found = v.Function(found.node, found.scope, found.kind, found.settings, owner)
                    if found.kind == "property":
                        return self.call_function(found, [], {}, node, scope)
                return found
            classes += of.bases
        return self.unknown(node, scope)

    def of_Lambda(self, node, scope):
        return v.Function(node, scope, "", {}, None)

    def of_ListComp(self, node, scope):
        return [self.eval(node.elt, s) for s in self.rounds(node.generators, scope)]

    of_GeneratorExp = of_ListComp

    def of_SetComp(self, node, scope):
        return set(self.of_ListComp(node, scope))

    def of_DictComp(self, node, scope):
        made = {}
        for s in self.rounds(node.generators, scope):
            made[self.eval(node.key, s)] = self.eval(node.value, s)
        return made

    def rounds(self, generators, scope):
        """The scopes of a comprehension's rounds."""
        if not generators:
            yield scope
            return
        first = generators[0]
        items = self.items(self.eval(first.iter, scope))
        if items is None:
            raise TypeError
        for item in items:
            self.budget.step()
            inner = v.Scope(scope.file, scope)
            self.assign(first.target, item, inner)
            if all(self.truth(self.eval(c, inner)) is not False for c in first.ifs):
                yield from self.rounds(generators[1:], inner)

    def items(self, value):
        """The elements of a value as a list, None where they are not known."""
        if isinstance(value, v.Class):
            value = [x for x in value.names.values() if isinstance(x, v.Instance)]
        if isinstance(value, (str, list, tuple, dict, set, frozenset, range)):
            self.budget.check(len(value), v.MAX_TEXT if isinstance(value, str) else v.MAX_ITEMS)
            if isinstance(value, (set, frozenset)):
                return sorted(value, key=repr)
            return list(value)
        return None

    # Calls.

    def of_Call(self, node, scope):
        args = self.elements(node.args, scope)
        kwargs = {}
        for keyword in node.keywords:
            value = self.eval(keyword.value, scope)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            elif isinstance(value, dict):
                kwargs.update((k, x) for k, x in value.items() if isinstance(k, str))
            else:
                self.left(node, scope, "**%s is not known here and is left out" % self.source(keyword.value))
        if isinstance(node.func, ast.Attribute):
            base = self.eval(node.func.value, scope)
            done = library.method(self, base, node.func.attr, args, kwargs, node, scope)
            if done is not library.NOTHING:
                return done
            return self.call(self.attribute(base, node.func.attr, node.func, scope), args, kwargs, node, scope)
        return self.call(self.eval(node.func, scope), args, kwargs, node, scope)

    def call(self, function, args, kwargs, node, scope):
        if isinstance(function, v.Partial):
            return self.call(function.function, function.args + args, {**function.kwargs, **kwargs}, node, scope)
        if isinstance(function, v.Function):
            return self.call_function(function, args, kwargs, node, scope)
        if isinstance(function, v.Class):
            return self.instance(function, args, kwargs, node, scope)
        if isinstance(function, v.Ref):
            return library.call(self, function.path, args, kwargs, node, scope)
        return self.unknown(node, scope)

    def call_function(self, function, args, kwargs, node, scope):
        if function.kind in ("dag", "group", "task"):
            return library.call_decorated(self, function, args, kwargs, node, scope)
        return self.invoke(function, args, kwargs)

    def invoke(self, function, args, kwargs):
        """Runs the body of a function of the file."""
        if function.owner is not None and function.kind != "static":
            args = [function.owner] + args
        inner = v.Scope(function.scope.file, function.scope)
        self.bind(function, args, kwargs, inner)
        if self.calls >= MAX_CALLS:
            raise v.Stop("the functions of the file call each other more than %d deep" % MAX_CALLS)
        if isinstance(function.node, ast.Lambda):
            return self.eval(function.node.body, inner)
        self.calls += 1
        try:
            self.run(function.node.body, inner)
        except Return as done:
            return done.value
        finally:
            self.calls -= 1
        return None

    def bind(self, function, args, kwargs, inner):
        wanted = function.node.args
        names = [a.arg for a in wanted.posonlyargs + wanted.args]
        defaults = dict(zip(reversed(names), reversed(wanted.defaults)))
        defaults.update((a.arg, d) for a, d in zip(wanted.kwonlyargs, wanted.kw_defaults) if d is not None)
        given = dict(zip(names, args))
        if wanted.vararg:
            given[wanted.vararg.arg] = tuple(args[len(names):])
        names += [a.arg for a in wanted.kwonlyargs]
        given.update((k, x) for k, x in kwargs.items() if k in names)
        if wanted.kwarg:
            given[wanted.kwarg.arg] = {k: x for k, x in kwargs.items() if k not in names}
        for name in names:
            if name not in given:
                default = defaults.get(name)
                given[name] = self.eval(default, function.scope) if default is not None else v.Unknown(
                    name, self.at(function.node, function.scope), "the argument is not given")
        inner.names.update(given)

    def instance(self, of, args, kwargs, node, scope):
        operator_base = library.operator_base(of)
        if operator_base:
            return library.call_subclass(self, of, operator_base, args, kwargs, node, scope)
        made = v.Instance(of, {})
        init = self.member(made, "__init__", node, scope)
        if isinstance(init, v.Function):
            self.call_function(init, args, kwargs, node, scope)
        else:  # a dataclass, or a class without a constructor
            made.names.update(zip([n for n, x in of.names.items() if not isinstance(x, v.Function)], args))
            made.names.update(kwargs)
        return made

    # What Airflow makes.

    def make(self, kind, made):
        """Adds a DAG, group or task."""
        if len(self.dags) + len(self.groups) + len(self.tasks) >= MAX_MADE:
            raise v.Stop("the file makes more than %d DAGs, groups and tasks" % MAX_MADE)
        kind.append(made)
        return made


def is_key(value):
    """Reports whether a value may be a key of a dictionary or a number of a list."""
    return value is None or isinstance(value, (bool, int, float, str)) or (
        isinstance(value, tuple) and all(map(is_key, value)))


def comparable(value):
    if isinstance(value, v.Moment):
        return value.wall
    if isinstance(value, v.Instance) and "value" in value.names:
        return value.names["value"]
    return value


def as_load(target):
    """A target of an assignment as an expression."""
    loaded = ast.parse(ast.unparse(target), mode="eval").body
    return ast.copy_location(loaded, target)

"""Every message the project can give, by code. A code never changes its meaning.

T1 syntax, T2 names, T3 values and units, T4 time and conflicts, T5 what does not fit the model,
the data or the mask, W warnings, R what went wrong while running.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Entry:
    """Message and help of a code; both are `str.format` templates."""

    message: str
    help: str | None = None
    severity: Literal["error", "warning", "note"] = "error"


def _warning(message: str, help: str | None = None) -> Entry:
    return Entry(message, help, "warning")


CATALOGUE: dict[str, Entry] = {
    # -- syntax
    "T101": Entry("expected {expected}, found {found}"),
    "T102": Entry("missing `{token}`", "put `{token}` here"),
    "T103": Entry("unknown statement `{name}`"),
    "T104": Entry("this string has no end", 'close it with `"` on the same line'),
    "T105": Entry(
        "unexpected character {char}",
        "names are letters, digits and `_`; text stands in double quotes",
    ),
    "T106": Entry("this text is not UTF-8: byte {byte} at offset {offset}", "save it as UTF-8"),
    "T107": Entry("a positional argument after a named one", "write `name=value`"),
    "T108": Entry("the control character {char} is not allowed in a recipe", "remove it"),
    "T109": Entry("this file is {size} bytes long, the limit is {limit}"),
    "T110": Entry("brackets nested deeper than {limit}", "write it with fewer brackets"),
    "T111": Entry(
        "the formatter would change what this file says; it is left as it is",
        "please report it with the recipe",
    ),
    "T120": Entry("`{text}` sets nothing", "write `NAME = value`, one a line"),
    # -- syntax: limits, letters, encodings
    "T150": Entry(
        "this file has more than {limit} statements", "say what they share once, with `extends`"
    ),
    "T151": Entry("this {kind} is {length} characters long, the limit is {limit}", "shorten it"),
    "T152": Entry("this name is {length} characters long, the limit is {limit}", "shorten it"),
    "T153": Entry(
        "this list has more than {limit} items", "leave out what is not needed, or split the recipe"
    ),
    "T154": Entry("`{found}` looks like `{meant}`, but {letters}", "write `{meant}`"),
    "T155": Entry(
        "{char} cannot stand here: names and values are written in plain letters",
        "outside of strings and comments use a to z, A to Z, 0 to 9 and `_`",
    ),
    "T156": Entry("{char} is a typographic character", "write `{write}`"),
    "T157": Entry(
        "these letters are composed in a way that other programs compare as different",
        "save it in the Unicode normal form NFC",
    ),
    "T159": Entry(
        "this file has more than {limit} values",
        "leave out what is not needed, or split the recipe",
    ),
    "T158": Entry("this file is {encoding}, not UTF-8", "save it as UTF-8"),
    # habits of other languages
    "T131": Entry("`{word}` is followed by its value, without `{mark}`", "write `{write}`"),
    "T132": Entry("`{name} {mark} …` is not a statement"),
    "T133": Entry("a name stands without quotes", "write `{write}`"),
    "T134": Entry("`{mark}` does not belong here", "remove it; {reason}"),
    "T135": Entry("an argument is written `name=value`, not `name{mark}value`", "write `{write}`"),
    "T136": Entry("`{found}` is not how a moment is written", "write `{write}`"),
    "T137": Entry("the arguments of `{name}` stand in `(` and `)`", "write `{write}`"),
    "T138": Entry("a comment begins with `#`, not with `{mark}`", "write `#`"),
    "T139": Entry("text stands in double quotes", "write `{write}`"),
    "T140": Entry("`{found}` is not a name: letters, digits and `_` only", "write `{write}`"),
    "T141": Entry("`{found}` is not a comparison", "write `{write}`"),
    "T142": Entry("a second statement on one line", "put `{write}` on a line of its own"),
    "T143": Entry("`{found}` has capital letters", "write `{write}`"),
    "T144": Entry("`{found}` is not how a value is written", "write `{write}`"),
    "T145": Entry("nothing is computed in a recipe: `{found}`", "write `{write}`"),
    # -- names
    "T201": Entry("unknown {kind} `{name}`"),
    "T202": Entry("unknown slot `{name}`"),
    "T203": Entry("`{owner}` has no argument `{name}`"),
    "T204": Entry("`${name}` is not a param of this recipe"),
    "T205": Entry("`{name}` is set twice", "keep one of the two"),
    "T206": Entry("argument `{name}` is given twice", "keep one of the two"),
    "T207": Entry("param `{name}` is declared twice", "keep one of the two"),
    "T208": Entry("this recipe has no `{name}`", "add a line such as `{example}`"),
    "T209": Entry("`{owner}` needs the argument `{name}`", "write `{owner}({name}={example})`"),
    "T210": Entry("`without {name}` removes nothing: nothing inherited has this name"),
    "T211": Entry("`{owner}` takes named arguments only"),
    "T212": Entry("`{given}`: this recipe declares no such param"),
    "T213": Entry("cannot read `{path}`: {reason}"),
    "T214": Entry("`{path}` extends itself: {chain}", "remove one `extends` of the circle"),
    "T215": Entry(
        "`{path}` lies outside the folder of the top recipe",
        "a recipe extends files in its own folder or below it: move this one there",
    ),
    "T216": Entry(
        "`{path}` is remote; remote recipes are not opened",
        "download it into the recipe's folder, and extend that file",
    ),
    "T217": Entry("`{path}` does not have the checksum written here"),
    "T218": Entry("this recipe needs edition {edition}, this is edition 1", "upgrade tostdsl"),
    "T219": Entry(
        "recipes extend one another deeper than {limit}", "put what they share into one file"
    ),
    "T220": Entry("`without` is for recipes that extend another", "add `extends`, or remove it"),
    "T230": Entry("`{removal}` removes nothing: no inherited `{name}` has this window"),
    "T232": Entry("`{name}` cannot be taken out with `without`"),
    "T231": Entry("`{path}` is not a value of this plan"),
    # -- names: files that a recipe extends
    "T260": Entry(
        "`{path}` is not written as a path inside the recipe's folder: {reason}",
        "write a relative path with `/`, such as `base.tost`",
    ),
    "T261": Entry("`{path}` is called `{actual}` on disk", "write it as it is called"),
    "T262": Entry(
        "`{path}` and `{other}` differ only in capitals, which some systems take for one file",
        "give one of them another name",
    ),
    "T263": Entry("the recipe and what it extends are {size} bytes, the limit is {limit}"),
    "T264": Entry(
        "the plug-in `{plugin}` failed at checking `{name}`: {reason}",
        "tell the plug-in's author; without that check the recipe cannot be used",
    ),
    # -- names: saved plans
    "T270": Entry(
        "`{path}` holds no plan: {reason}",
        "`tost plan RECIPE -o FILE` saves one, which nobody needs to edit: recipes are for that",
    ),
    "T271": Entry(
        "the plan in `{path}` cannot be read here: {reason}",
        "read it with the version or plug-in that it was saved with, or save its recipe's plan "
        "again",
    ),
    "T272": Entry(
        "`{option}` cannot change `{path}`: in a saved plan everything is settled",
        "give `{option}` where the plan is made from its recipe: `tost plan RECIPE -o FILE`",
    ),
    # -- values and units
    "T301": Entry("`{name}` wants {expected}, found {found}"),
    "T302": Entry("`{name}` wants a percent, found {found}", "write `{write}`"),
    "T303": Entry("`{name}` must be {bound}, found {found}"),
    "T304": Entry("`{name}` cannot be `{found}`", "choose one of {choices}"),
    "T305": Entry("`{name}` wants {expected}, found {found}", "write `{write}`"),
    "T306": Entry(
        "this number is too large or too precise",
        "use at most 15 digits, and a power of ten between -300 and 300",
    ),
    "T307": Entry("`{name}` cannot be a ramp", "write one value"),
    "T308": Entry(
        "params refer to one another in a circle: {chain}", "give one of them a value of its own"
    ),
    "T309": Entry("a minus before a zero says nothing", "write `{write}`"),
    "T310": Entry(
        "the recipe's sweeps stand for {count} runs, the limit is {limit}", "sweep fewer values"
    ),
    "T311": Entry("`{name}` is swept twice", "keep one of the two"),
    "T312": Entry("unknown metric `{name}`", "choose one of {choices}"),
    "T320": Entry(
        "`{name}` is swept and set by `{how}`: a sweep chooses every value itself",
        "leave `{how}` out, or remove the sweep",
    ),
    "T321": Entry("`{value}` stands twice in the sweep over `{name}`", "keep one of the two"),
    "T350": Entry(
        "params and selectors here stand for more than {limit} values",
        "lists of params that are lists grow with every step; write the values where they are used",
    ),
    "T351": Entry(
        "{count} runs of {statements} statements are more than {limit} statements to check",
        "sweep fewer values at a time",
    ),
    # -- time and conflicts
    "T401": Entry("this window {verb} at {end}, after training ends"),
    "T402": Entry("this window is empty: it starts at {start} and ends at {end}"),
    "T403": Entry("`{found}` is not a moment of training", "write {example}"),
    "T404": Entry("`{first}` and `{second}` both claim {claim} over the same stretch of training"),
    "T405": Entry("`{name}` acts at one moment, so it has no window", "write `at {moment}`"),
    "T406": Entry("a window ends once: `until` or `for`, not both", "keep one of the two"),
    "T407": Entry(
        "`at` stands alone: no `from`, `until` or `for` beside it",
        "keep `at` alone, or leave it out",
    ),
    "T408": Entry(
        "`{name}` works over a stretch of training, not at one moment",
        "give it a window, such as `until epoch 40`",
    ),
    "T409": Entry("`{name}` takes no window", "remove it"),
    "T410": Entry("`{name}` takes no targets", "remove them"),
    "T411": Entry("this window has a part given twice", "keep one of the two"),
    "T412": Entry("`{name}` is at {moment}, which training never reaches"),
    "T413": Entry(
        "`{name}` is {length} long, as long as training or longer", "shorten it, or train longer"
    ),
    "T422": Entry("`{name}` at {moment} would act after the last step", "write `at start`"),
    "T423": Entry(
        "`{name}` is a ramp, which `anneal=none` holds at {start}",
        "choose an anneal that falls, or write one value",
    ),
    "T424": Entry("the stage `{name}` is written twice, word for word", "remove one of the two"),
    "T420": Entry(
        "no run can meet both `{first}` and `{second}`", "keep one of the two, or move a bound"
    ),
    "T421": Entry("`{first}` says all that `{second}` says", "remove `expect {second}`"),
    "T425": Entry(
        "no run can meet `{expect}`: {extent}", "turn the comparison round, or move the bound"
    ),
    "T431": Entry("this window runs backwards: from {start} until {end}"),
    "T432": Entry(
        "`{name}` outlives training: with `anneal=none` it is still at work when training ends",
        "let it fall, for example `anneal=linear`, or end it earlier with `until`{more}",
    ),
    "T433": Entry(
        "`{name}` is over before the last training begins: that goes on from {moment}",
        "give it a later window, or write `resume=start` in the mask",
    ),
    # -- what does not fit
    "T501": Entry("`{selector}` matches no module of `{model}`"),
    "T502": Entry(
        "`{stage}` has nothing to work on in `{model}`: {reason}",
        "choose other layers, or remove it",
    ),
    "T503": Entry("`{model}` cannot be traced: {reason}"),
    "T504": Entry("`{name}`: {reason}"),
    "T505": Entry("a sparsity of {wanted} cannot be met: {reason}"),
    "T506": Entry("`{model}` does not take images of {shape}: {reason}"),
    "T507": Entry(
        "layer collapse: a sparsity of {sparsity} {what}",
        "{remedy}, or go on all the same with `allow=collapse`",
    ),
    "T508": Entry("these masks do not fit the network: {reason}"),
    "T510": Entry(
        "a batch of {batch} is larger than the {count} training images",
        "write `batch={count}` at most",
    ),
    "T521": Entry("`{name}` has no effect: {reason}", "{help}"),
    "T520": Entry("`{owner}` has no use for `{name}`: only {owners} {verb}", "remove it"),
    "T523": Entry(
        "`init(rescale=learned)` needs second derivatives, which there are none of in {where}: "
        "{reason}",
        "choose another `rescale`, or a network without such a module",
    ),
    "T522": Entry(
        "`{name}` has no use here: with {why} nothing is smoothed unless `smoothing` is given",
        "add `smoothing`, or remove it",
    ),
    "T530": Entry(
        "a density of {density} keeps none of the {total} weights of `{weight}`",
        "raise `density`, or leave the layer out with `except`",
    ),
    "T531": Entry(
        "`recalibrate` of `{name}` has no effect: `{model}` has no batch normalisation that keeps "
        "running statistics",
        "remove `recalibrate=yes`",
    ),
    "T540": Entry(
        "`{name}` has no mask, so there is none to look at",
        "write one, for example `mask random(sparsity=90%)`",
    ),
    "T550": Entry(
        "the {kind} of this recipe is code, which would be imported and called: `{call}`",
        "look at what it does, then start with `--allow-code` (from Python, `allow_code=True`)",
    ),
    "T560": Entry(
        "`{path}` prunes nothing: no weight in scope is masked by it ({carrier})",
        "name the file that holds the masks, or leave `mask` out to train dense",
    ),
    "T561": Entry(
        "`{path}` prunes weights outside of the mask's scope: {names}",
        "take them into the scope (`on`, `except`), or leave them dense with `outside=ignore`",
    ),
    "T562": Entry(
        "`{name}` in `{path}` holds {value} at [{place}]: a mask is made of 0 and 1",
        "write `carrier=zeros` if it is a checkpoint whose zeros are its mask",
    ),
    "T563": Entry(
        "`{name}({pattern})` prunes nothing: {reason}",
        "choose a pattern whose numbers divide the layers' channels, as powers of two often do, or "
        "leave `mask` out to train dense",
    ),
    # -- warnings
    "W001": _warning("`{name}` is a percent, written as a fraction", "write `{write}`"),
    "W002": _warning(
        "`{name}` ends by a jump: {how}",
        "let it fall, for example `anneal=linear`",
    ),
    "W003": _warning(
        "param `{name}` is never used", "write `${name}` where it is meant, or remove it"
    ),
    "W004": _warning("the plug-in `{name}` could not be loaded: {reason}"),
    "W020": _warning(
        "the sweep over `{name}` makes equal plans: no value in force uses `${name}`",
        "use `${name}`, or remove the sweep",
    ),
    "W021": Entry(
        "the learning rate drops at {moment}, while `{name}` is at work",
        "end the stage before the drop, unless you mean it",
        "note",
    ),
    "W022": _warning(
        "every run meets `{expect}`: {extent}", "ask for more, or remove the expectation"
    ),
    "W090": Entry("{count} more mistakes are not shown", "mend these first", "note"),
    "W025": _warning(
        "`form=sharpen` ends by a small jump: at a beta of {beta} each activation moves by up to "
        "{gap}",
        "end at a larger `beta`, or let it fade with `form=blend`",
    ),
    "W026": _warning(
        "`{name}` stays in the network, so the certificate fails",
        "remove `keep=yes`, or run with `--allow-ghosts`",
    ),
    "W027": _warning(
        "a smoothing of {found} takes most of the probability from the true class",
        "0.1 is usual",
    ),
    "W040": _warning(
        "`{text}` is `{name}` and a comment", "put a space before `#` if a comment is meant"
    ),
    "W050": _warning(
        "layer collapse, let pass by `allow=collapse`: the mask {what}",
        "lower `sparsity`, unless this is what you want to see",
    ),
    "W051": _warning(
        "a branch is cut: nothing gets through {layers}, and the network goes around",
        "lower the sparsity, or leave these layers dense with `except`",
    ),
    "W052": Entry(
        "{inputs} of {all_inputs} input channels and {outputs} of {all_outputs} output channels "
        "are dead{waste}",
        "{help}",
        "note",
    ),
    "W053": _warning(
        "{count} kept {weights} exactly 0, most in `{layer}`",
        "{help}",
    ),
    "W060": _warning(
        "what is in the file of `{name}` is no part of the plan: without `sha256` it may change",
        'add `sha256="…"`, which `sha256sum` and a run with this mask print',
    ),
    # -- while running
    "R101": Entry("the data set `{name}` is not at {where}", "{how}"),
    "R102": Entry("{where} does not hold the data set `{name}`: {reason}"),
    "R103": Entry("cannot read {path}: {reason}"),
    "R104": Entry(
        "the data set `{name}` could not be downloaded to {where}: {reason}",
        "check the network, or rehearse on random images with `--fake-data`",
    ),
    "R160": Entry("no masks can be read from `{path}`: {reason}"),
    "R161": Entry(
        "`{path}` is not the file that the recipe means: its SHA-256 is {found}",
        "bring back the file with the digest that is written there, or write this one's",
    ),
    "R162": Entry("{path} holds a dense run: its plan has no mask, so there is none to export"),
    "R201": Entry("{path} already holds a run", "choose another folder with `--out`"),
    "R202": Entry("cannot write {path}: {reason}"),
    "R203": Entry("{path} is not empty and holds no run", "choose another folder with `--out`"),
    "R204": Entry(
        "{path} is in use by another process",
        "wait until it has ended; it holds `run.lock`",
    ),
    "R205": Entry(
        "cannot write a checkpoint to {path}: {reason}",
        "what was kept before is untouched; make room, or run with `--checkpoint none`",
    ),
    "R206": _warning(
        "cannot write a checkpoint to {path}: {reason}; training goes on, the last one stays",
        "make room: without it a stop costs all steps since then",
    ),
    "R207": _warning(
        "cannot write {path}: {reason}; training goes on, its lines wait in memory",
        "make room: no checkpoint is kept before they are written, and the run cannot end",
    ),
    "R301": Entry("there is no `{device}` device here", "use `--device auto`"),
    "R302": Entry(
        "the loss is {value} at step {step} of {phase}",
        "lower the learning rate and start a new run",
    ),
    "R303": Entry("out of memory on {device}{fits}", "lower the batch size{write}"),
    "R304": Entry("interrupted by {signal}; {path} holds what ran until then"),
    "R305": Entry(
        "the scores of `{layer}` are not numbers, so its weights cannot be ranked",
        "lower the learning rate",
    ),
    "R306": Entry("training failed at step {step} of {phase}: {reason}"),
    "R307": Entry("the test loss is {value}: the network's outputs are not numbers"),
    "R308": Entry(
        "stopped by {signal}; {path} holds all of its state",
        "go on with `tost resume {path}`",
    ),
    "R309": Entry(
        "weights, buffers or moments are no numbers any more after step {step} of {phase}",
        "lower the learning rate and start a new run; the last checkpoint is from before that",
    ),
    "R310": Entry(
        "masked weights of {layer} are not zero after step {step} of {phase}",
        "something beside the engine wrote to them; the last checkpoint is from before that was "
        "seen",
    ),
    "R311": Entry(
        "gradients of masked weights of {layer} reached the optimizer at step {step} of {phase}",
        "something beside the engine wrote to them; the last checkpoint is from before that was "
        "seen",
    ),
    "R312": Entry(
        "the optimizer's `{buffer}` of {layer} is not zero where the mask is, after step {step} of "
        "{phase}",
        "something beside the engine wrote to it; the last checkpoint is from before that was seen",
    ),
    "R313": Entry(
        "`{name}` of `{stage}` is {value} at step {step} of {phase}, the plan says {planned}",
        "something beside the engine wrote to it; the last checkpoint is from before that was seen",
    ),
    "R314": Entry(
        "the mask of {layer} is not the one that was put in force, after step {step} of {phase}",
        "something beside the engine wrote to it; the last checkpoint is from before that was seen",
    ),
    "R320": Entry(
        "`init(rescale=learned)` met a gradient of norm {size}, which no scale can be learned from",
        "check that the mask leaves a way from the images to the classes, or another `rescale`",
    ),
    "R330": Entry("`{option}` cannot be had on {device}: {reason}", "leave `{option}` out{more}"),
    "R331": Entry(
        "the network cannot be compiled: {reason}",
        "run without `--compile`; a run that has begun goes on with `tost resume --no-compile`",
    ),
    "R332": Entry(
        "{operation} gives other bits each time on {device}, which `--deterministic` rules out",
        "run without `--deterministic`, or on the CPU, or change the network so that it does "
        "without",
    ),
    "R333": Entry(
        "{what} cannot be read: {reason}",
        "bring back the file that it lies in; what was kept before is untouched",
    ),
    "R340": Entry("`{function}` {what}{where}: {reason}"),
    "R341": Entry("`{function}` gives no {what}: {reason}"),
    "R401": Entry("the certificate failed: {reason}"),
    "R402": Entry("{reason}"),
    "R403": Entry("this run does not hold: {group}: {reason}"),
    "R410": _warning(
        "the seam at {at} costs: without {names} the loss goes from {loss} to {then} and accuracy "
        "from {accuracy} to {now}",
        "let it fade more slowly or over a longer window{more}",
    ),
    "R411": Entry("{path} holds no run: {reason}", "give the folder that `tost run` wrote"),
    "R412": Entry("the run in {path} did not come to its end: {reason}"),
    "R413": Entry(
        "the plan in this run cannot be read here: {reason}",
        "install the version or plug-in that it ran with, which `environment.json` names",
    ),
    "R601": Entry("the folder `{path}` holds no recipe", "recipes end in `.tost`"),
    "R602": Entry(
        "with the fix for `{fixed}` no fewer mistakes would be reported than before, so it is not "
        "applied",
        "apply it by hand: it may only bring to light what stood behind it",
        "note",
    ),
    "R603": Entry("`{path}` is there already", "choose another name; nothing is overwritten"),
    "R604": Entry(
        "`{path}` is so long that there was time for {applied} only",
        "run `tost fix` again for the next ones",
        "note",
    ),
    "R605": Entry(
        "no recipe can be shown of {path}: {reason}",
        "give the folder of a run, or one of its checkpoints, such as `RUN/ckpt/step-0000120`",
    ),
    "R606": _warning(
        "{path} {what}",
        "`tost verify` tells whether it still means the plan that ran; `--plan` shows that",
    ),
    "R701": Entry("there is nothing to resume in {path}: {reason}"),
    "R702": Entry("this checkpoint does not fit the run: {reason}"),
    "R703": Entry(
        "{what} cannot be kept in a checkpoint: {reason}",
        "run with `--checkpoint none`; the run then cannot be resumed",
    ),
    "R704": Entry(
        "the run in {path} cannot go on: {reason}",
        "bring the files back as they were, or start anew in another folder",
    ),
    "R705": Entry(
        "the data is not what this run has trained on so far ({origin})",
        "bring it back as it was: the images or labels have another SHA-256",
    ),
    "R706": Entry("{path} {reason}", "bring it back as it was; the run cannot go on without it"),
    "R707": _warning("the checkpoint {name} is not used: {reason}"),
    "R708": _warning("from here on it may not be the same to the bit: {what}"),
    "R709": Entry(
        "the recipe means another plan than the one that is running: {changes}",
        "take the change back, or start a run of its own",
    ),
    "R710": Entry(
        "no run can begin at a checkpoint of {path}: {reason}",
        "leave out `--from`; `tost diff` tells in what two plans differ, and from where on",
    ),
    "R720": Entry(
        "the run that was killed and resumed is not the one that was never stopped: {what}",
        "do not resume runs of this recipe; please report it with the recipe",
    ),
    "R721": Entry("{what} did not come to its end: {reason}"),
    "R801": Entry(
        "`{given}` is not `git:REVISION:PATH`", "write for example `git:HEAD~1:recipe.tost`"
    ),
    "R802": Entry("{given} cannot be had: {reason}"),
    "R803": Entry(
        "{given} stands for {count} plans, {reason}",
        "name one of its runs, or take its sweeps out in a recipe that `extends` it",
    ),
    "R804": Entry("no plan can be read from {path}: {reason}"),
    "R830": Entry(
        "there is no pandas here, so there are no frames",
        "`pip install pandas`, or take the rows as they are: `run.metrics()`, `diff.changes`",
    ),
    "R831": Entry(
        "{given} stands for {count} plans, and one is wanted here",
        "`tost.plans(PATH)` gives each, with the values that it has where the recipe sweeps; "
        "`tost.Recipe.of(plan)` makes a recipe of one",
    ),
    "R901": Entry("internal error: {reason}", "please report it with the recipe"),
}

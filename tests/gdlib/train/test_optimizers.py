"""Whatever `nnx.Optimizer` takes either trains or is refused by name, before the first step."""

import inspect
import warnings
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from optax import contrib
from toy import DATA, INPUTS, STEP, fit, fresh, weights

from gdlib import train
from gdlib.train import chunk

SGD = optax.sgd(0.1)
# What needs more than 0.1 for each argument without a default.
MADE = {
    "apply_if_finite": lambda: optax.apply_if_finite(SGD, 3),
    "chain": lambda: optax.chain(optax.clip(1.0), SGD),
    "conditionally_mask": lambda: optax.conditionally_mask(SGD, lambda step, **_: step < 1),
    "conditionally_transform": lambda: optax.conditionally_transform(SGD, lambda step, **_: step < 1),
    "differentially_private_aggregate": lambda: contrib.differentially_private_aggregate(
        1.0, 1.0, jax.random.key(0)
    ),
    "dpsgd": lambda: contrib.dpsgd(0.1, 1.0, 1.0, 0),
    "flatten": lambda: optax.flatten(SGD),
    "freeze": lambda: optax.freeze(mask=False),
    "inject_hyperparams": lambda: optax.inject_hyperparams(optax.adam)(learning_rate=0.1),
    "inject_stateful_hyperparams": lambda: optax.inject_stateful_hyperparams(optax.adam)(learning_rate=0.1),
    "lookahead": lambda: optax.lookahead(SGD, 2, 0.5),
    "masked": lambda: optax.masked(SGD, mask=True),
    "measure_with_ema": lambda: optax.measure_with_ema(lambda updates: updates, 0.9),
    "mechanize": lambda: contrib.mechanize(SGD),
    "multi_transform": lambda: optax.multi_transform({"all": SGD}, "all"),
    "named_chain": lambda: optax.named_chain(("clip", optax.clip(1.0)), ("sgd", SGD)),
    "partition": lambda: optax.partition({"all": SGD}, "all"),
    "reduce_on_plateau": lambda: optax.chain(SGD, contrib.reduce_on_plateau()),
    "sam": lambda: contrib.sam(SGD, optax.chain(contrib.normalize(), SGD)),
    "scale_by_backtracking_linesearch": lambda: optax.chain(SGD, optax.scale_by_backtracking_linesearch(3)),
    "scale_by_schedule": lambda: optax.scale_by_schedule(lambda count: 0.1),
    "scale_by_zoom_linesearch": lambda: optax.chain(SGD, optax.scale_by_zoom_linesearch(3)),
    "schedule_free": lambda: contrib.schedule_free(SGD, 0.1),
    "selective_transform": lambda: optax.selective_transform(SGD, freeze_mask=False),
    "snapshot": lambda: optax.snapshot("norm", optax.tree.norm),
    "split_real_and_imaginary": lambda: contrib.split_real_and_imaginary(SGD),
    "stateless": lambda: optax.stateless(lambda updates, params: updates),
    "stateless_with_tree_map": lambda: optax.stateless_with_tree_map(lambda update, weight: update),
    "with_extra_args_support": lambda: optax.with_extra_args_support(SGD),
    # Not found by their annotation:
    "MultiSteps": lambda: optax.MultiSteps(SGD, 2),
    "momentum": lambda: optax.sgd(0.1, momentum=0.9, nesterov=True),
    "opaque_sam": lambda: contrib.sam(SGD, SGD, opaque_mode=True),
    "monitor": lambda: optax.transforms.monitor({"norm": optax.tree.norm}),
}
REFUSED = {
    "differentially_private_aggregate": "differentially_private_aggregate .* wants one for each example",
    "dpsgd": "differentially_private_aggregate .* wants one for each example",
    "lookahead": "lookahead says: .*fast",
    "monitor": "got another MonitorState",
    "opaque_sam": "sam says: grad_fn must be provided",
    "scale_by_muon": "scale_by_muon says: ",  # alone it takes matrices only; muon gives it those
    "scale_by_sm3": "got another ScaleBySM3State",  # lists for an array, which NNX does not keep
    "sm3": "got another ScaleBySM3State",
}


def _there(make):
    """Whether this Optax has it: some came with a later release than the oldest that gdlib takes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            make()
    except AttributeError:
        return False
    return True


ABSENT = {name for name, make in MADE.items() if not _there(make)}
MADE = {name: make for name, make in MADE.items() if name not in ABSENT}


def found():
    """name → constructor, of all that optax and optax.contrib call a transformation."""
    for module in (optax, contrib):
        for name, function in vars(module).items():
            if not name.startswith("_") and inspect.isfunction(function):
                parameters = inspect.signature(function)
                if "GradientTransformation" in str(parameters.return_annotation):
                    needed = sum(p.default is p.empty for p in parameters.parameters.values())
                    yield name, MADE.get(name, partial(function, *[0.1] * needed))


TRANSFORMATIONS = dict(found()) | MADE
# Those that are an update rule of their own are trained; the pieces that they are made of are only traced.
RULES = [
    name for name, make in TRANSFORMATIONS.items()
    if name in MADE or "learning_rate" in " ".join(inspect.signature(make.func).parameters)
]  # fmt: skip
PIECES = [name for name in TRANSFORMATIONS if name not in RULES]


def made(transformation, seed=0):
    model, _ = fresh(seed)
    return model, nnx.Optimizer(model, transformation, wrt=nnx.Param)


def make(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are to go
        return TRANSFORMATIONS[name]()


def two_steps(modules, rng_key=None, **options):
    return train.fit(
        options.pop("step", STEP), modules, options.pop("data", DATA[:8]),
        jax.random.key(1) if rng_key is None else rng_key,
        **{"epochs": 1, "batch_size": 4, "progress": False} | options,
    )  # fmt: skip


def test_the_list_is_not_empty():
    assert {"adam", "lbfgs", "lion", "momo", "muon", "prodigy", "sophia"} <= set(RULES)
    assert "scale_by_adam" in PIECES
    assert (set(MADE) | set(REFUSED)) - ABSENT <= set(TRANSFORMATIONS)
    assert len(ABSENT) < 5


TRAINED = [name for name in RULES if name not in REFUSED]


@pytest.mark.parametrize("names", [TRAINED[i : i + 12] for i in range(0, len(TRAINED), 12)], ids=", ".join)
def test_update_rules_train(untyped, names):
    """Each on a model of its own; a dozen in one program, which is compiled faster than twelve."""

    def step(modules, batch, rng_key):
        pairs = zip(names, modules, strict=True)
        return {f"{name} loss": STEP(pair, batch, rng_key)["loss"] for name, pair in pairs}

    modules = tuple(made(make(name)) for name in names)
    before = [weights(pair[:1]) for pair in modules]
    history = two_steps(modules, step=step)
    assert history.steps == 2
    for name, pair, old in zip(names, modules, before, strict=True):
        assert np.isfinite(history.train[f"{name} loss"]).all(), name
        assert (weights(pair[:1]) != old).any(), name


@pytest.mark.parametrize("name", [name for name in RULES if name in REFUSED])
def test_others_are_refused_by_name(untyped, name):
    modules = made(make(name))
    before = weights(modules[:1])
    with pytest.raises(TypeError, match=f"optimizer: expected .*{REFUSED[name]}"):
        two_steps(modules)
    np.testing.assert_array_equal(weights(modules[:1]), before)


@pytest.mark.parametrize("name", PIECES)
def test_a_piece_can_be_traced_or_is_refused_by_name(untyped, name):
    graphdef, state = nnx.split(made(make(name)))
    arguments = (state, DATA, jnp.arange(4), jax.random.key(0))
    step = partial(jax.eval_shape, partial(chunk.one_step, STEP, graphdef, None), *arguments)
    if name in REFUSED:
        with pytest.raises(TypeError, match=f"optimizer: expected .*{REFUSED[name]}"):
            step()
    else:
        after, _ = step()
        for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
            assert (old.shape, old.dtype) == (new.shape, new.dtype)


def squares(model, batch, rng_key):
    return {"loss": jnp.mean((model(batch.inputs)[:, 0] - batch.labels) ** 2)}


def test_reduce_on_plateau_gets_the_loss():
    """A loss that never falls halves the scale after each two steps; another scale would show another loss."""
    plateau = contrib.reduce_on_plateau(factor=0.5, patience=2)
    modules = made(optax.chain(optax.sgd(0.0), plateau))
    history = fit(modules, step=train.gradient_step(squares), epochs=7, batch_size=50)
    state = modules[1].opt_state[1]
    assert state.scale[...] == 0.125  # the first step sets the best value, then three times two
    np.testing.assert_allclose(state.best_value[...], history.train["loss"][0], rtol=1e-6)


def test_with_many_seeds_each_has_a_plateau_of_its_own():
    plateau = optax.chain(optax.sgd(0.0), contrib.reduce_on_plateau(factor=0.5, patience=2))
    keys = jax.random.split(jax.random.key(3), 2)
    stacked = nnx.vmap(partial(seeded, plateau))(keys)
    history = fit(stacked, keys, step=train.gradient_step(squares), epochs=7, batch_size=50)
    state = stacked[1].opt_state[1]
    np.testing.assert_array_equal(state.scale[...], [0.125, 0.125])
    np.testing.assert_allclose(state.best_value[...], history.train["loss"][0], rtol=1e-6)
    assert state.best_value[...][0] != state.best_value[...][1]


def seeded(transformation, rng_key):
    model = nnx.Linear(3, 1, rngs=nnx.Rngs(rng_key))
    return model, nnx.Optimizer(model, transformation, wrt=nnx.Param)


def test_a_line_search_is_that_of_optax_on_the_pure_loss():
    """Independently: L-BFGS with its line search, in plain Optax on a dict of arrays."""
    modules, lbfgs = made(optax.lbfgs()), optax.lbfgs()
    plain = {"kernel": modules[0].kernel[...], "bias": modules[0].bias[...]}

    def loss(plain):
        return jnp.mean((INPUTS @ plain["kernel"][:, 0] + plain["bias"] - DATA.labels) ** 2)

    @jax.jit
    def update(plain, state):
        value, slope = jax.value_and_grad(loss)(plain)
        updates, state = lbfgs.update(slope, state, plain, value=value, grad=slope, value_fn=loss)
        return optax.apply_updates(plain, updates), state, value

    history = fit(modules, step=train.gradient_step(squares), epochs=4, batch_size=50)
    state, losses = lbfgs.init(plain), []
    for _ in range(4):
        plain, state, value = update(plain, state)
        losses.append(value)
    np.testing.assert_allclose(history.train["loss"], losses, rtol=1e-4)
    np.testing.assert_allclose(modules[0].kernel[...], plain["kernel"], rtol=1e-3, atol=1e-5)


class Noisy(nnx.Module):
    """Dropout and batch normalisation: a second pass through it is another one, unless all is as it was."""

    def __init__(self, inputs, outputs, *, rngs):
        self.line = nnx.Linear(inputs, outputs, rngs=rngs)
        self.norm = nnx.BatchNorm(outputs, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.drop(self.norm(self.line(x)))


def asking(tell):
    """Gradient descent that keeps `tell(params, value, value_fn)`, a scalar."""

    def update(updates, state, params, *, value, value_fn, **_):
        return jax.tree.map(lambda slope: -0.1 * slope, updates), (tell(params, value, value_fn),)

    return optax.GradientTransformationExtraArgs(lambda params: (jnp.zeros(()),), update)


def test_at_the_present_weights_the_function_of_them_is_the_loss_noise_included():
    def difference(params, value, value_fn):
        return value_fn(params) - value

    def after(transformation):
        model = Noisy(3, 2, rngs=nnx.Rngs(0))
        modules = (model, nnx.Optimizer(model, transformation, wrt=nnx.Param))
        history = two_steps(modules, step=train.gradient_step(squares))
        return modules, history

    (model, optimizer), history = after(asking(difference))
    assert abs(optimizer.opt_state[0][...]) < 1e-6
    (unasked, _), plain = after(optax.sgd(0.1))
    np.testing.assert_allclose(history.train["loss"], plain.train["loss"], rtol=1e-6)
    np.testing.assert_allclose(model.norm.mean[...], unasked.norm.mean[...], rtol=1e-6)  # one pass a step


def test_at_other_weights_it_is_their_loss():
    def at_zero(params, value, value_fn):
        return value_fn(jax.tree.map(jnp.zeros_like, params))

    modules = made(asking(at_zero))
    two_steps(modules, step=train.gradient_step(squares), batch_size=8)
    assert modules[1].opt_state[0][...] == pytest.approx(np.mean(DATA.labels[:8] ** 2))


def test_a_plain_transformation_of_three_arguments_works():
    plain = optax.GradientTransformation(
        lambda params: (), lambda updates, state, params=None: (jax.tree.map(lambda u: -0.1 * u, updates), state)
    )  # fmt: skip
    one, other = made(plain), made(SGD)
    two_steps(one), two_steps(other)
    np.testing.assert_allclose(weights(one[:1]), weights(other[:1]), rtol=1e-6)


@pytest.mark.parametrize("chained", [False, True])
def test_a_transformation_that_wants_more_is_named_before_anything_is_done(untyped, tmp_path, chained):
    def update(updates, state, params=None, *, hessian, **_):
        return updates, state

    wants = optax.GradientTransformationExtraArgs(lambda params: (), update)
    modules = made(optax.chain(SGD, wants) if chained else wants)
    before = weights(modules)
    with pytest.raises(TypeError, match=r"optimizer: expected .*value, grad, value_fn.* 'hessian'"):
        two_steps(modules, checkpoint=tmp_path / "run")
    np.testing.assert_array_equal(weights(modules), before)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("wrapped", [False, True])
def test_gradients_of_examples_are_not_guessed_from_a_square_kernel(untyped, wrapped):
    """Here the first axes agree, and Optax would take the features for examples."""
    transformation = make("dpsgd")
    if wrapped:
        transformation = optax.apply_if_finite(transformation, 3)
    model = nnx.Linear(3, 3, rngs=nnx.Rngs(0))
    modules = (model, nnx.Optimizer(model, transformation, wrt=nnx.Param))
    with pytest.raises(TypeError, match="wants one for each example"):
        two_steps(modules)


def test_a_state_that_changes_its_type_is_named(untyped):
    grows = optax.GradientTransformation(
        lambda params: optax.ScaleByScheduleState(jnp.zeros((), jnp.int32)),
        lambda updates, state, params=None: (updates, optax.ScaleByScheduleState(state.count + 0.5)),
    )
    with pytest.raises(
        TypeError, match=r"keeps its structure, shapes and types .* another ScaleByScheduleState"
    ):
        two_steps(made(grows))


def test_only_the_chosen_weights_are_updated():
    model, _ = fresh()
    bias = nnx.All(nnx.Param, nnx.PathContains("bias"))
    kernel = model.kernel[...].copy()
    two_steps((model, nnx.Optimizer(model, optax.lbfgs(), wrt=bias)))
    np.testing.assert_array_equal(model.kernel[...], kernel)
    assert model.bias[...] != 0


class Pair(nnx.Module):
    def __init__(self, kind):
        self.generator, self.discriminator = (kind(3, n, rngs=nnx.Rngs(n)) for n in (3, 1))


def discriminator_objective(generator, discriminator, batch, rng_key):
    fake = generator(jax.random.normal(rng_key, batch.inputs.shape))
    return {"loss": jnp.mean(discriminator(fake) ** 2) + jnp.mean((discriminator(batch.inputs) - 1) ** 2)}


def generator_objective(generator, discriminator, batch, rng_key):
    fake = generator(jax.random.normal(rng_key, batch.inputs.shape))
    return {"loss": jnp.mean((discriminator(fake) - 1) ** 2)}


GAME = train.adversarial_step(discriminator_objective, generator_objective)


def players(transformation, kind=nnx.Linear):
    pair = Pair(kind)
    both = (pair.generator, pair.discriminator)
    return (pair, *(nnx.Optimizer(player, transformation, wrt=nnx.Param) for player in both))


@pytest.mark.parametrize("name", ["adam", "lbfgs", "reduce_on_plateau", "opaque_sam", "dpsgd"])
def test_a_game_takes_and_refuses_the_same(untyped, name):
    modules = players(make(name))
    before = weights(modules[:1])
    if name in REFUSED:
        with pytest.raises(TypeError, match=f"optimizer: expected .*{REFUSED[name]}"):
            two_steps(modules, step=GAME)
        np.testing.assert_array_equal(weights(modules[:1]), before)
    else:
        history = two_steps(modules, step=GAME)
        assert np.isfinite(history.train["generator_loss"]).all()
        assert np.isfinite(history.train["discriminator_loss"]).all()


def test_each_player_gets_its_own_loss_at_its_own_weights():
    def both(params, value, value_fn):
        return value - value_fn(params) + 10 * (value_fn(params) == 0)

    _, *optimizers = modules = players(asking(both), Noisy)
    two_steps(modules, step=GAME)
    for optimizer in optimizers:
        assert abs(optimizer.opt_state[0][...]) < 1e-5

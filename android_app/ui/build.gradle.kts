import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.compose)
}

android {
    namespace = "samesight.ui"
    compileSdk = libs.versions.sdk.compile.get().toInt()
    defaultConfig {
        minSdk = libs.versions.sdk.min.get().toInt()
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    buildFeatures {
        compose = true
    }
    sourceSets {
        // Rendered and compared by Maven (pom.xml), on Compose for desktop.
        getByName("test").kotlin.setSrcDirs(emptyList<String>())
    }
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_17
        // Maven compiles with another Compose: what a newer one only deprecates must not stop a first build.
        allWarningsAsErrors = providers.gradleProperty("strict").isPresent
    }
}

dependencies {
    api(project(":engine"))
    api(platform(libs.compose.bom))
    api(libs.compose.material3)
}
